/** Injection token of the running predictor. */
export const LATENCY_PREDICTOR = Symbol('latency-predictor');
