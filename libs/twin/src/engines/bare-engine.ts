import type { EngineProfile } from '@sluice/engine-model';

/** The profile without the time that the API takes in front of the engine, as some published tables are. */
export const bareEngine = (profile: EngineProfile): EngineProfile => ({
  ...profile,
  id: `${profile.id}-bare`,
  title: `${profile.title}, API time left out`,
  step: { ...profile.step, apiBaseMs: 0, apiPerTokenMs: 0 },
});
