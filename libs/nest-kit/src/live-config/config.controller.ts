import { Body, Controller, Get, Headers, HttpCode, Inject, Patch, Post, Put, Res } from '@nestjs/common';
import type { Provider } from '@nestjs/common';
import { configChangeSchema, configHistorySchema, configRollbackSchema, configViewSchema } from '@sluice/contracts';
import type { ConfigHistory, ConfigView } from '@sluice/contracts';
import { Operation } from '../operation.ts';
import { Problem, zodBody } from '../problem.ts';
import type { ConfigChange } from './live-config.ts';

/** The part of {@link LiveConfig} that the admin API uses. */
export interface ChangeableConfig {
  view(): ConfigView;
  history(): ConfigHistory;
  patch(
    settings: Readonly<Record<string, unknown>>,
    expected: number | null,
    note: string | null,
  ): Promise<ConfigChange>;
  replace(
    settings: Readonly<Record<string, unknown>>,
    expected: number | null,
    note: string | null,
  ): Promise<ConfigChange>;
  rollback(version: number | null, expected: number | null, note: string | null): Promise<ConfigChange>;
}

const LIVE_CONFIG = Symbol('live-config');

/** Provides what {@link ConfigController} speaks for. */
export const configProvider = (config: ChangeableConfig): Provider => ({
  provide: LIVE_CONFIG,
  useFactory: () => config,
});

interface Reply {
  header(name: string, value: string): unknown;
}

const IF_MATCH = { 'if-match': 'Version that must be in force, in quotes; another one: 412, and nothing changes' };

/** Settings in force, and their overrides. */
@Controller('config')
export class ConfigController {
  readonly #config: ChangeableConfig;

  constructor(@Inject(LIVE_CONFIG) config: ChangeableConfig) {
    this.#config = config;
  }

  @Get()
  @Operation({ summary: 'Every setting in force with where it comes from, secrets hidden', reply: configViewSchema })
  config(@Res({ passthrough: true }) reply: Reply): ConfigView {
    const view = this.#config.view();
    reply.header('etag', `"${view.version}"`);
    return view;
  }

  @Get('history')
  @Operation({ summary: 'The last versions of the overrides, newest first', reply: configHistorySchema })
  history(): ConfigHistory {
    return this.#config.history();
  }

  @Patch()
  @Operation({
    summary: 'Changes single overrides, all or none; null takes one away',
    body: configChangeSchema,
    reply: configViewSchema,
    headers: IF_MATCH,
  })
  async patch(
    @Body() body: unknown,
    @Headers('if-match') match: string | undefined,
    @Res({ passthrough: true }) reply: Reply,
  ): Promise<ConfigView> {
    const { settings, note } = zodBody(configChangeSchema, body);
    return this.#answer(await this.#config.patch(settings, versionOf(match), note ?? null), reply);
  }

  @Put()
  @Operation({
    summary: 'Gives all overrides anew, all or none',
    body: configChangeSchema,
    reply: configViewSchema,
    headers: IF_MATCH,
  })
  async replace(
    @Body() body: unknown,
    @Headers('if-match') match: string | undefined,
    @Res({ passthrough: true }) reply: Reply,
  ): Promise<ConfigView> {
    const { settings, note } = zodBody(configChangeSchema, body);
    return this.#answer(await this.#config.replace(settings, versionOf(match), note ?? null), reply);
  }

  @Post('rollback')
  @HttpCode(200)
  @Operation({
    summary: 'Brings the overrides of an earlier version back, as a new version',
    body: configRollbackSchema,
    reply: configViewSchema,
    headers: IF_MATCH,
  })
  async rollback(
    @Body() body: unknown,
    @Headers('if-match') match: string | undefined,
    @Res({ passthrough: true }) reply: Reply,
  ): Promise<ConfigView> {
    const { version, note } = zodBody(configRollbackSchema, body ?? {});
    return this.#answer(await this.#config.rollback(version ?? null, versionOf(match), note ?? null), reply);
  }

  #answer(change: ConfigChange, reply: Reply): ConfigView {
    refuseUnlessInForce(change);
    return this.config(reply);
  }
}

/** @throws Problem for every change that did not come into force */
export function refuseUnlessInForce(change: ConfigChange): void {
  switch (change.kind) {
    case 'in force':
      return;
    case 'invalid':
      throw new Problem(400, 'invalid_config', change.errors.join('; '), { errors: change.errors });
    case 'conflict':
      throw new Problem(412, 'version_conflict', `version ${change.version} is in force, not the one expected`);
    case 'unknown version':
      throw new Problem(404, 'unknown_version', 'there is no such version, or it is no longer kept');
    case 'unavailable':
      throw new Problem(503, 'store_unavailable', `overrides cannot be kept: ${change.reason}`);
  }
}

/** The version of an If-Match header; null: any. @throws Problem 400 for a header that is no version */
function versionOf(match: string | undefined): number | null {
  if (match === undefined || match === '*') return null;
  const digits = /^(?:W\/)?"?(\d{1,9})"?$/.exec(match)?.[1];
  if (digits === undefined) throw new Problem(400, 'invalid_request', `If-Match: '${match}' is no version like "3"`);
  return Number(digits);
}
