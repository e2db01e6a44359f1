import type { PolicyId } from '@sluice/routing';
import type { FleetChange } from '@sluice/twin';
import type { RunOutcome } from '../outcome.ts';

/** One simulated engine, as the report names it. */
export interface ReportEngine {
  readonly name: string;
  /** Engines of one kind have one number, from 0. */
  readonly kind: number;
}

/** Everything that a report shows; the same data give the same bytes. */
export interface ReportData {
  /** What was played. */
  readonly title: string;
  /** In front of what. */
  readonly subtitle: string;
  /** The command that makes this report again. */
  readonly command: string;
  /** How it was made, by name. */
  readonly facts: readonly (readonly [name: string, value: string])[];
  /** The service level that goodput asks for. */
  readonly serviceLevel: string;
  readonly policies: readonly PolicyId[];
  readonly loads: readonly number[];
  /** What the loads are, with their unit. */
  readonly loadAxis: string;
  /** Whether loads are requests per second: goodput has them as its bound. */
  readonly loadIsRate: boolean;
  readonly loadName: (load: number) => string;
  readonly engines: readonly ReportEngine[];
  readonly warmUpMs: number;
  readonly fleetChanges: readonly FleetChange[];
  readonly outcomes: readonly RunOutcome[];
}

/** The outcomes of one load and policy, by seed. */
export const outcomesOf = ({ outcomes }: ReportData, load: number, policy: PolicyId): RunOutcome[] =>
  outcomes.filter((outcome) => outcome.load === load && outcome.policy === policy);
