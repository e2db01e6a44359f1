import { z } from 'zod';
import type { View } from './view.ts';

/** `GET /healthz`: the process answers. */
export const healthSchema = z.object({
  status: z.literal('ok'),
  service: z.string().describe('Name of the service; sluice where a process runs several'),
  uptimeS: z.number(),
});
export type Health = View<typeof healthSchema>;

/** `GET /readyz` of one service. */
export const serviceStatusSchema = z.object({
  ready: z.boolean().describe('Whether the service can do its work'),
  checks: z.record(z.string(), z.object({ ok: z.boolean(), detail: z.string() })),
});
export type ServiceStatus = View<typeof serviceStatusSchema>;

/** `GET /readyz` of a process that runs several services. */
export const processStatusSchema = z.object({
  ready: z.boolean(),
  services: z.record(z.string(), serviceStatusSchema),
});
export type ProcessStatus = View<typeof processStatusSchema>;

/** Every answer of an admin API that is no success. */
export const problemSchema = z.object({
  error: z.object({
    message: z.string(),
    type: z.string().describe('Kind by status, as OpenAI names them'),
    code: z.string().describe('Which problem it is, for programs'),
    errors: z.array(z.string()).optional().describe('Each thing that is wrong, where several can be'),
  }),
});
export type ProblemView = View<typeof problemSchema>;
