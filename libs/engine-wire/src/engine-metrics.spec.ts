import { describe, expect, it } from '@jest/globals';
import { parseEngineMetrics } from './engine-metrics.ts';
import { capturedMetrics } from './testing/captures.ts';

describe('parseEngineMetrics', () => {
  it("reads a page of two ranks, whose block count is one rank's", () => {
    const rank = { waitingRequests: 0, runningRequests: 0, kvUsage: 0, blockSize: 32, gpuBlocks: 400, preemptions: 0 };
    expect(parseEngineMetrics(capturedMetrics('metrics-dp2'))).toEqual([
      { rank: 0, ...rank, prefixCacheQueries: 800, prefixCacheHits: 192, promptTokens: 800, generationTokens: 16 },
      { rank: 1, ...rank, prefixCacheQueries: 800, prefixCacheHits: 0, promptTokens: 800, generationTokens: 16 },
    ]);
  });

  it('reads a loaded engine', () => {
    expect(parseEngineMetrics(capturedMetrics('metrics-queued'))).toEqual([
      expect.objectContaining({ rank: 0, waitingRequests: 12, runningRequests: 4, kvUsage: 0.12030075187969924 }),
    ]);
  });

  it('reads SGLang', () => {
    const page = [
      '# HELP sglang:num_running_reqs The number of running requests.',
      'sglang:num_running_reqs{engine_type="unified",model_name="m",tp_rank="0",dp_rank="1"} 3.0',
      'sglang:num_queue_reqs{model_name="m",dp_rank="1"} 7.0',
      'sglang:token_usage{model_name="m",dp_rank="1"} 0.25',
      'sglang:cache_config_info{page_size="64",num_pages="1000",dp_rank="1"} 1.0',
      'sglang:prompt_tokens_total{model_name="m",dp_rank="1"} 8.128902e+06',
    ].join('\n');
    expect(parseEngineMetrics(page)).toEqual([
      {
        rank: 1,
        waitingRequests: 7,
        runningRequests: 3,
        kvUsage: 0.25,
        blockSize: 64,
        gpuBlocks: 1000,
        prefixCacheQueries: null,
        prefixCacheHits: null,
        promptTokens: 8_128_902,
        generationTokens: null,
        preemptions: null,
      },
    ]);
  });

  it('says null for what the page does not have', () => {
    const [signals] = parseEngineMetrics('vllm:num_requests_running 2\n');
    expect(signals).toMatchObject({ rank: 0, runningRequests: 2, waitingRequests: null, blockSize: null });
    expect(parseEngineMetrics('')).toEqual([]);
    expect(parseEngineMetrics('up 1\nvllm:other{engine="0"} 1\nstrange{ 3')).toEqual([]);
  });

  it('is not misled by labels, timestamps, NaN or lines cut short', () => {
    const page = [
      'vllm:num_requests_running{model_name="a} \\"engine=\\"9",engine="2"} 5 1700000000000',
      'vllm:num_requests_waiting{my_engine="7",engine="2"} NaN',
      'vllm:cache_config_info{engine="2",hash_block_size="None",user_block_size="8",block_size="16",num_gpu_blocks="None"} 1',
      'vllm:num_requests_running{engine="2"} 99',
      'vllm:kv_cache_usage_perc{engine="2"',
    ].join('\n');
    expect(parseEngineMetrics(page)).toEqual([
      expect.objectContaining({
        rank: 2,
        runningRequests: 5,
        waitingRequests: null,
        kvUsage: null,
        blockSize: 16,
        gpuBlocks: null,
      }),
    ]);
  });
});
