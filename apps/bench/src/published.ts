/** What others measured, as data. Sources beside each; seconds and tokens per second. */

/** One stage of a published ladder. */
export interface PublishedStage {
  readonly qps: number;
  readonly ttftMeanS: number;
  readonly ttftP90S?: number;
  readonly outputTokensPerS?: number;
  readonly totalTokensPerS?: number;
}

const b2b = (...rows: readonly (readonly [number, number, number, number])[]): PublishedStage[] =>
  rows.map(([qps, outputTokensPerS, ttftMeanS, ttftP90S]) => ({ qps, outputTokensPerS, ttftMeanS, ttftP90S }));

/** llm-d/llm-d guides/optimized-baseline/README.md, per-rate table, Kubernetes Service. */
export const B2B_SERVICE = b2b(
  [3, 1797, 0.415, 0.522],
  [10, 4215, 0.63, 1.014],
  [15, 5381, 0.881, 1.593],
  [20, 6205, 18.103, 35.344],
  [22, 5517, 20.171, 39.436],
  [25, 5965, 21.842, 42.813],
  [30, 5702, 24.597, 46.036],
  [35, 5890, 24.162, 45.19],
  [40, 6336, 68.673, 126.238],
  [43, 6588, 72.429, 130.275],
  [46, 6459, 70.084, 129.81],
  [49, 6265, 70.659, 133.718],
  [52, 6303, 74.326, 134.981],
  [55, 6290, 72.564, 134.034],
  [57, 6089, 72.329, 135.023],
  [60, 6551, 75.586, 138.663],
);

/** The same table, llm-d with weights 3:2:2 (and 2 for cold requests). */
export const B2B_WEIGHTED_322 = b2b(
  [3, 1777, 0.133, 0.162],
  [10, 5066, 0.125, 0.172],
  [15, 7053, 0.122, 0.187],
  [20, 11_688, 0.174, 0.283],
  [22, 12_436, 0.116, 0.148],
  [25, 12_501, 0.116, 0.146],
  [30, 13_862, 0.117, 0.148],
  [35, 14_026, 0.117, 0.15],
  [40, 16_041, 0.153, 0.216],
  [43, 16_339, 0.254, 0.218],
  [46, 16_665, 0.154, 0.22],
  [49, 16_126, 0.151, 0.209],
  [52, 16_474, 0.152, 0.219],
  [55, 16_854, 0.153, 0.215],
  [57, 16_641, 0.153, 0.217],
  [60, 17_064, 0.154, 0.217],
);

/** llm-d/llm-d guides/tiered-prefix-cache/README.md, HBM only, weights 1:1:1. */
export const TIERED_HBM: readonly PublishedStage[] = [
  { qps: 5, ttftMeanS: 1.62, ttftP90S: 2.65, totalTokensPerS: 74_638 },
  { qps: 10, ttftMeanS: 8.08, ttftP90S: 16.61, totalTokensPerS: 122_388 },
  { qps: 20, ttftMeanS: 43.67, ttftP90S: 78.13, totalTokensPerS: 114_663 },
  { qps: 40, ttftMeanS: 115.57, ttftP90S: 206.39, totalTokensPerS: 115_645 },
];

/** llm-d-kv-cache benchmarking/37-capacity/README.md, random picker. */
export const LLAMA_RANDOM = b2b(
  [3, 2505.7, 1.102, 2],
  [4, 2829.5, 7.257, 22.814],
  [5, 2898.2, 11.988, 30.994],
  [6, 2955.9, 23.742, 56.371],
  [8, 3108.8, 40.124, 74.757],
  [10, 3117.3, 46.359, 88.089],
  [12, 3140.8, 49.556, 96.284],
  [15, 3126.2, 58.76, 128.434],
  [20, 3241, 93.345, 197.01],
);

/** A later run of the same benchmark: the rates of which single numbers are published. Precise prefix scorer, 2:1:1. */
export const LLAMA_PRECISE = b2b([10, 6457, 0.2, 0.275], [20, 9295, 0.2, 0.275]);

/** Summary over a whole ladder: TTFT of all requests, and output tokens per second as the mean over stages. */
export interface PublishedSummary {
  readonly ttftMeanS: number;
  readonly outputTokensPerS: number;
}

/** Summaries of the same pages; of the 70B ladder those of the later run. */
export const SUMMARIES: Readonly<Record<string, PublishedSummary>> = {
  'b2b-service': { ttftMeanS: 58.1, outputTokensPerS: 5722 },
  'b2b-3-2-2': { ttftMeanS: 0.156, outputTokensPerS: 13_163 },
  '70b-random': { ttftMeanS: 42, outputTokensPerS: 2895 },
  '70b-2-1-1': { ttftMeanS: 0.193, outputTokensPerS: 5650 },
};

/** TTFT mean, TTFT p99 and E2E p99 in seconds. */
export type Triple = readonly [ttftMeanS: number, ttftP99S: number, e2eP99S: number];

/** Columns of {@link PROTOTYPE}. */
export const PROTOTYPE_ARMS = [
  'least-request',
  'weighted-3-2-2',
  'sticky-until-saturated',
  'sticky, tau 40k',
  'dynamo-kv',
  'expected-latency',
] as const;

/**
 * What an independent prototype of the same model showed: eight bare engines, one seed, exact index without lag, KV usage
 * polled every 50 ms. `scenario` is the cell's name here.
 */
export const PROTOTYPE: readonly {
  readonly cell: string;
  readonly scenario: string;
  readonly values: readonly Triple[];
}[] = [
  {
    cell: 'b2bv10',
    scenario: 'verbatim:10',
    values: [
      [76, 136, 177],
      [0.043, 0.108, 32],
      [0.044, 0.108, 37],
      [0.044, 0.108, 37],
      [0.248, 1.47, 40],
      [0.044, 0.108, 37],
    ],
  },
  {
    cell: 'b2bu7',
    scenario: 'unique:7',
    values: [
      [0.42, 1.13, 39],
      [0.096, 0.168, 28],
      [0.096, 0.167, 30],
      [0.096, 0.167, 30],
      [0.232, 1.07, 29],
      [0.097, 0.172, 31],
    ],
  },
  {
    cell: 'b2bu12',
    scenario: 'unique:12',
    values: [
      [158, 275, 312],
      [0.127, 0.255, 51],
      [0.126, 0.235, 51],
      [0.126, 0.235, 51],
      [11, 48, 89],
      [0.127, 0.241, 50],
    ],
  },
  {
    cell: 'conv1',
    scenario: 'conversation:1:307k',
    values: [
      [1.07, 9.62, 32],
      [1.09, 9.55, 31],
      [0.779, 7.77, 31],
      [0.764, 7.6, 31],
      [0.823, 7.62, 29],
      [0.764, 7.6, 29],
    ],
  },
  {
    cell: 'conv2',
    scenario: 'conversation:2:307k',
    values: [
      [27, 67, 123],
      [3.8, 22, 85],
      [3.71, 17, 85],
      [4.96, 18, 89],
      [5.53, 20, 87],
      [2.32, 19, 82],
    ],
  },
  {
    cell: 'conv2M',
    scenario: 'conversation:2:1M',
    values: [
      [1.74, 13, 90],
      [1.31, 11, 56],
      [0.824, 8.5, 56],
      [0.782, 7.05, 59],
      [1.14, 8.03, 64],
      [0.761, 7.39, 59],
    ],
  },
  {
    cell: 'conv3M',
    scenario: 'conversation:3:1M',
    values: [
      [182, 364, 478],
      [106, 272, 394],
      [110, 253, 387],
      [120, 268, 401],
      [131, 292, 415],
      [77, 202, 335],
    ],
  },
  {
    cell: 'azk8',
    scenario: 'azure-code:8',
    values: [
      [0.991, 5.05, 12],
      [1.15, 5.16, 13],
      [0.924, 4.96, 12],
      [0.924, 4.96, 12],
      [0.953, 4.95, 12],
      [0.91, 4.94, 12],
    ],
  },
  {
    cell: 'reason3',
    scenario: 'reasoning:3',
    values: [
      [0.045, 0.071, 186],
      [0.047, 0.104, 186],
      [0.044, 0.07, 188],
      [0.044, 0.07, 188],
      [0.046, 0.087, 185],
      [0.044, 0.07, 188],
    ],
  },
  {
    cell: 'reason4',
    scenario: 'reasoning:4',
    values: [
      [0.046, 0.073, 159],
      [0.049, 0.109, 156],
      [0.045, 0.071, 158],
      [0.045, 0.071, 158],
      [0.047, 0.098, 156],
      [0.045, 0.071, 158],
    ],
  },
  {
    cell: 'het9',
    scenario: 'unequal:9',
    values: [
      [169, 420, 471],
      [0.187, 0.466, 119],
      [5.89, 104, 210],
      [1.11, 29, 152],
      [17, 84, 163],
      [0.175, 0.46, 98],
    ],
  },
  {
    cell: 'het10',
    scenario: 'unequal:10',
    values: [
      [207, 508, 563],
      [1.25, 28, 158],
      [20, 136, 251],
      [5.05, 49, 171],
      [36, 167, 233],
      [0.196, 0.508, 110],
    ],
  },
];
/** `het10b` of the same search is another seed of het10. */
export const PROTOTYPE_HET10B: readonly Triple[] = [
  [213, 520, 579],
  [0.969, 18, 135],
  [9.96, 99, 224],
  [3.75, 39, 174],
  [43, 177, 261],
  [0.249, 2.35, 109],
];

/** Offline replay of Mooncake conversation by Dynamo's own simulator, 8 workers of 16,384 blocks of 64 tokens. */
export const DYNAMO_REUSE = { roundRobin: 0.082, kvRouter: 0.202 } as const;
