/** What is known of a request's output before there is any. */
export interface RequestClass {
  /** Limit that the request names, or null. */
  readonly maxTokens: number | null;
  readonly promptTokens: number;
  readonly streamed: boolean;
  /** Stable hash of the client's session (or tenant), or null when it named none. */
  readonly sessionHash: number | null;
}

export interface OutputEstimate {
  /** Expected output tokens. */
  readonly mean: number;
  /** Of one request's output tokens around it. */
  readonly variance: number;
}

/** Powers of two up to 2^19, then all. */
const BUCKETS = 21;
const CLASSES = BUCKETS * BUCKETS * 2;
/** Sessions remembered; a newer one takes the place of an older one with the same last bits. */
const SESSIONS = 4096;
/** Weight of a new answer once there are many. */
const FORGETTING = 0.02;
/** Classes and sessions are seen less often than the pool, and their means must not be noisier. */
const FINE_FORGETTING = 0.005;
/** Of an answer in what is said of a whole level. */
const LEVEL_SHARE = 0.002;
/** A variance counts half against the coarser level's after so many answers. */
const VARIANCE_SHRINKAGE = 2;

/** Running means and variances, one in each slot: follow the first samples fast and later ones slowly. */
class Moments {
  readonly count: Float64Array;
  readonly mean: Float64Array;
  readonly variance: Float64Array;
  private readonly forgetting: number;

  constructor(slots: number, forgetting: number) {
    this.forgetting = forgetting;
    this.count = new Float64Array(slots);
    this.mean = new Float64Array(slots);
    this.variance = new Float64Array(slots);
  }

  add(slot: number, sample: number): void {
    const count = ++this.count[slot]!;
    const share = Math.max(this.forgetting, 1 / count);
    const off = sample - this.mean[slot]!;
    this.mean[slot]! += share * off;
    this.variance[slot]! = (1 - share) * (this.variance[slot]! + share * off * off);
  }

  clear(slot: number): void {
    this.count[slot] = 0;
    this.mean[slot] = 0;
    this.variance[slot] = 0;
  }
}

/**
 * One level of the hierarchy: its slots refine an estimate of the coarser level. A slot counts by empirical Bayes, with
 * `n` answers of variance `v` as `n / (n + v / t)`, `t` being how far the slots' true means lie from the coarser level's
 * (mean square). And only while the level has been closer than the coarser one, each answer judged before it was learned.
 */
class Level {
  private readonly moments: Moments;
  private between = 0;
  private coarserError = 0;
  private ownError = 0;

  constructor(slots: number) {
    this.moments = new Moments(slots, FINE_FORGETTING);
  }

  clear(slot: number): void {
    this.moments.clear(slot);
  }

  refine(coarser: OutputEstimate, slot: number): OutputEstimate {
    return this.ownError < this.coarserError ? this.blend(coarser, slot) : coarser;
  }

  observe(coarser: OutputEstimate, slot: number, sample: number): void {
    const { moments } = this;
    const count = moments.count[slot]!;
    if (count > 1) {
      const own = this.blend(coarser, slot);
      this.coarserError += LEVEL_SHARE * ((sample - coarser.mean) ** 2 - this.coarserError);
      this.ownError += LEVEL_SHARE * ((sample - own.mean) ** 2 - this.ownError);
      // a mean of few answers is off by chance too
      const off = (moments.mean[slot]! - coarser.mean) ** 2 - own.variance / Math.min(count, 1 / FINE_FORGETTING);
      this.between += LEVEL_SHARE * (off - this.between);
    }
    moments.add(slot, sample);
  }

  private blend(coarser: OutputEstimate, slot: number): OutputEstimate {
    const { count, mean, variance } = this.moments;
    const seen = count[slot]!;
    if (seen === 0 || !(this.between > 0)) return coarser;
    const own = shrink(variance[slot]!, seen, coarser.variance, VARIANCE_SHRINKAGE);
    return { mean: shrink(mean[slot]!, seen, coarser.mean, own / this.between), variance: own };
  }
}

/**
 * How long outputs will be, by class of request: the pool's mean, refined by what requests with such a limit, prompt
 * length and streaming had, refined by what the session had. A class that is new, or that says nothing of the length, is
 * as the level above. O(1) per question and answer, 150 KiB whatever the traffic.
 */
export class OutputLengths {
  private readonly pool = new Moments(1, FORGETTING);
  private readonly classes = new Level(CLASSES);
  private readonly sessions = new Level(SESSIONS);
  private readonly sessionIn = new Float64Array(SESSIONS).fill(-1);
  private prior: number;

  /** @param prior taken for the mean until answers say better */
  constructor(prior: number) {
    this.prior = prior;
  }

  /** What others learned, for as long as little was seen here. */
  startFrom(prior: number): void {
    if (prior >= 1 && prior < Infinity) this.prior = prior;
  }

  /** Over all classes. */
  get mean(): number {
    return shrink(this.pool.mean[0]!, this.pool.count[0]!, this.prior, 1);
  }

  /** Its mean is within the request's own limit. */
  estimate(request: RequestClass): OutputEstimate {
    const ofClass = this.classes.refine(this.ofPool(), classOf(request));
    const { sessionHash, maxTokens } = request;
    const known = this.remembers(sessionHash);
    const { mean, variance } = known ? this.sessions.refine(ofClass, placeOf(sessionHash!)) : ofClass;
    return { mean: Math.min(maxTokens ?? Infinity, mean), variance };
  }

  /** An answer was complete. What is no count of tokens is left out. */
  observe(request: RequestClass, outputTokens: number): void {
    if (!(outputTokens >= 1 && outputTokens < Infinity)) return;
    const ofPool = this.ofPool();
    const slot = classOf(request);
    const { sessionHash } = request;
    if (sessionHash !== null) {
      const place = placeOf(sessionHash);
      if (!this.remembers(sessionHash)) this.sessions.clear(place);
      this.sessionIn[place] = sessionHash;
      this.sessions.observe(this.classes.refine(ofPool, slot), place, outputTokens);
    }
    this.classes.observe(ofPool, slot, outputTokens);
    this.pool.add(0, outputTokens);
  }

  /** Before answers, lengths are taken to be spread as widely as an exponential distribution. */
  private ofPool(): OutputEstimate {
    return { mean: this.mean, variance: shrink(this.pool.variance[0]!, this.pool.count[0]!, this.prior ** 2, 1) };
  }

  private remembers(sessionHash: number | null): boolean {
    return sessionHash !== null && this.sessionIn[placeOf(sessionHash)] === sessionHash;
  }
}

const placeOf = (sessionHash: number): number => (sessionHash >>> 0) % SESSIONS;

/** `value`, seen `count` times, against its parent's. */
const shrink = (value: number, count: number, parent: number, weight: number): number =>
  (count * value + weight * parent) / (count + weight);

function classOf({ maxTokens, promptTokens, streamed }: RequestClass): number {
  const limit = maxTokens === null ? 0 : 1 + bucket(maxTokens, BUCKETS - 2);
  return (limit * BUCKETS + bucket(promptTokens, BUCKETS - 1)) * 2 + (streamed ? 1 : 0);
}

const bucket = (tokens: number, most: number): number =>
  tokens >= 2 ? Math.min(most, Math.floor(Math.log2(tokens))) : 0;
