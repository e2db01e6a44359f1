import { Controller, Get, HttpCode, Inject, Param, Post, Query } from '@nestjs/common';
import { latencyPredictionSchema, variantsViewSchema, variantViewSchema } from '@sluice/contracts';
import type { LatencyPrediction, VariantsView, VariantView } from '@sluice/contracts';
import { biased, memoryWaitMs, predictTpotMs, predictTtftMs, regimeOf } from '@sluice/latency-model';
import { Operation, Problem, zodBody } from '@sluice/nest-kit';
import type { LatencyPredictor } from '../latency-predictor.ts';
import type { VariantView as Learned } from '../predictor/predictor.ts';
import { predictQuery } from './schemas.ts';
import { LATENCY_PREDICTOR } from './token.ts';

/** What was learned, and what it predicts. */
@Controller()
export class VariantsController {
  readonly #app: LatencyPredictor;

  constructor(@Inject(LATENCY_PREDICTOR) app: LatencyPredictor) {
    this.#app = app;
  }

  @Get('variants')
  @Operation({ summary: 'Parameters in force and prediction errors of every variant', reply: variantsViewSchema })
  variants(): VariantsView {
    const { predictor, publisher } = this.#app;
    return { publishedVersion: publisher.version, variants: predictor.variants().map(toReply) };
  }

  @Get('variants/:pool/:variant')
  @Operation({ summary: 'Parameters in force and prediction errors of one variant', reply: variantViewSchema })
  variant(@Param('pool') pool: string, @Param('variant') variant: string): VariantView {
    if (!this.#app.predictor.has(pool, variant)) throw unknownVariant(pool, variant);
    return toReply(this.#app.predictor.variant(pool, variant));
  }

  @Post('variants/:pool/:variant/reset')
  @HttpCode(200)
  @Operation({ summary: 'Forget what was learned of a variant and start from its prior', reply: variantViewSchema })
  reset(@Param('pool') pool: string, @Param('variant') variant: string): VariantView {
    if (!this.#app.reset(pool, variant)) throw unknownVariant(pool, variant);
    return toReply(this.#app.predictor.variant(pool, variant));
  }

  @Get('predict')
  @Operation({
    summary: 'What a request would meet on a worker under a given load',
    query: predictQuery,
    reply: latencyPredictionSchema,
  })
  predict(@Query() query: unknown): LatencyPrediction {
    const request = zodBody(predictQuery, query);
    const { parameters } = this.#app.predictor.variant(request.pool, request.variant);
    const bias = request.worker === undefined ? 1 : (parameters.workerBias[request.worker] ?? 1);
    const step = biased(parameters.step, bias);
    const load = { ...request, inflightRequests: request.inflightRequests ?? request.decodesRunning };
    const outputTokens = request.outputTokens ?? parameters.meanOutputTokens;
    const regime = regimeOf(load);
    const factors = parameters.regimes[regime];
    const waitMs = memoryWaitMs(step, load, { ...request, outputTokens });
    const modelTtftMs = predictTtftMs(step, load, request, this.#app.engine) + waitMs;
    const modelTpotMs = predictTpotMs(step, load, { promptTokens: request.promptTokens, outputTokens });
    const ttftMs = modelTtftMs * factors.ttftFactor;
    const tpotMs = modelTpotMs * factors.tpotFactor;
    return {
      samples: parameters.samples,
      regime,
      ttftMs,
      tpotMs,
      e2eMs: ttftMs + Math.max(0, outputTokens - 1) * tpotMs,
      ttftP90Ms: modelTtftMs * factors.ttftTailFactor,
      tpotP90Ms: modelTpotMs * factors.tpotTailFactor,
    };
  }
}

const unknownVariant = (pool: string, variant: string): Problem =>
  new Problem(404, 'unknown_variant', `nothing was heard of variant '${variant}' of pool '${pool}'`);

const toReply = ({ parameters, prior, errors, updatedAtMs }: Learned): VariantView => ({
  ...parameters,
  prior,
  errors,
  updatedAt: updatedAtMs === null ? null : new Date(updatedAtMs).toISOString(),
});
