/** Weight of a new sample, once there are many. */
const FORGETTING = 0.02;

/** The router's running mean of what it learns from answers: follows the first samples fast and later ones slowly. */
export class RunningMean {
  value: number;
  private samples = 0;

  constructor(prior: number) {
    this.value = prior;
  }

  add(sample: number): void {
    this.samples++;
    this.value += (sample - this.value) * Math.max(FORGETTING, 1 / (this.samples + 1));
  }
}
