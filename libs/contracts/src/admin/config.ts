import { z } from 'zod';
import type { View } from './view.ts';

const value = () => z.string().nullable();

/** A setting in force. Values are written as in the environment; secrets and passwords are hidden. */
export const settingViewSchema = z.object({
  name: z.string().describe('Its name everywhere: environment, file, admin API, command line'),
  value: value().describe('In force; null: it has none'),
  source: z
    .enum(['default', 'environment', 'file', 'override'])
    .describe('Where that comes from: the later of these goes before the earlier'),
  reload: z.enum(['live', 'restart']).describe('When a change comes into force'),
  pending: value().describe('What the next start brings, where that is something else; null: nothing else'),
  fallback: value().describe('Default'),
  allowed: z.string(),
  meaning: z.string(),
});
export type SettingView = View<typeof settingViewSchema>;

/** `GET /config` of a service. */
export const configViewSchema = z.object({
  service: z.string(),
  version: z.number().int().describe('Of the overrides; 0 until the first. Also the ETag'),
  overrides: z.object({
    kept: z
      .enum(['store', 'memory'])
      .describe('store: they outlast restarts, and all instances of the service share them; memory: neither'),
    state: z.enum(['followed', 'unreachable']).describe('Whether the store can be asked for newer ones'),
  }),
  file: z
    .object({ path: z.string(), loadedAtMs: z.number().describe('When what is in force was read') })
    .nullable()
    .describe('Null: SLUICE_CONFIG names none'),
  problems: z.array(z.string()).describe('Why the newest file or overrides are not in force: the last good ones are'),
  settings: z.array(settingViewSchema),
});
export type ConfigView = View<typeof configViewSchema>;

/** Body of `PATCH /config` (null: back to what it would be without) and of `PUT /config` (all others: the same). */
export const configChangeSchema = z.strictObject({
  settings: z
    .record(z.string(), z.unknown())
    .describe('Values by name: as in the environment, or as numbers, booleans, lists and mappings'),
  note: z.string().max(500).optional().describe('Why, for those who read the history'),
});

/** Body of `POST /config/rollback`. */
export const configRollbackSchema = z.strictObject({
  version: z.number().int().min(0).optional().describe('Whose overrides are to come back; default: the one before'),
  note: z.string().max(500).optional(),
});

/** Overrides as they were from one version on. */
export const configVersionSchema = z.object({
  version: z.number().int(),
  atMs: z.number().describe('Milliseconds since the Unix epoch'),
  note: z.string().nullable(),
  changes: z.array(z.object({ name: z.string(), from: value(), to: value() })).describe('null: no override'),
  overrides: z.record(z.string(), z.string()),
});
export type ConfigVersion = View<typeof configVersionSchema>;

/** `GET /config/history` of a service, newest first. */
export const configHistorySchema = z.object({ version: z.number().int(), history: z.array(configVersionSchema) });
export type ConfigHistory = View<typeof configHistorySchema>;
