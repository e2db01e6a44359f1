import { consoleSettings } from '@sluice/console';
import { eventBridgeSettings } from '@sluice/event-bridge';
import { kvIndexSettings } from '@sluice/kv-index';
import { latencyPredictorSettings } from '@sluice/latency-predictor';
import { adminFields, commonFields, describeSettings } from '@sluice/nest-kit';
import type { SettingDescription } from '@sluice/nest-kit';
import { routerSettings } from '@sluice/router';
import { standaloneSettings } from '@sluice/standalone';

interface Section {
  readonly title: string;
  readonly about: string;
  readonly settings: readonly SettingDescription[];
}

const HEAD = `# Configuration

<!-- Written by \`npm run docs:configuration\` from the schemas of the processes; do not edit. -->

Every setting has one name, the same in the environment, in the file of settings, in the admin API and on the command line. A wrong or
unknown setting stops the start of a process, which then names every error at once.

| where | how | goes before |
|---|---|---|
| default | as below | |
| environment | \`ROUTER_POLICY=p2c\` | the default |
| file | \`SLUICE_CONFIG=/etc/sluice.yaml\`: YAML or JSON, one mapping; one file may hold the settings of all services | the environment |
| override | \`sluice config set ROUTER_POLICY=p2c\`, or \`PATCH /config\` of a service ([admin-api.md](admin-api.md)) | the file |

In the file lists and mappings may be written as such: \`ROUTER_TENANT_WEIGHTS: { gold: 4, free: 1 }\`.

**live**: a change of the file or of an override comes into force at once, between two requests or decisions; requests in flight go on. A
file with an error changes nothing: the last good one stays in force, the log, \`sluice config get\` and \`sluice_config_problems\` say why.
**restart**: read when the process starts; a changed file is shown as pending until then, and overrides are refused.
The fleet file is no setting and is followed by itself ([fleet-file.md](fleet-file.md)). Traces are set by
OpenTelemetry's own variables ([tracing.md](tracing.md)).
`;

/** The text of docs/configuration.md. */
export function configurationPage(): string {
  return [HEAD, ...sections().map(sectionText)].join('\n');
}

function sections(): Section[] {
  const common = new Set(Object.keys(commonFields));
  const own = (all: readonly SettingDescription[]): SettingDescription[] => all.filter(({ name }) => !common.has(name));
  const router = describeSettings(routerSettings);
  return [
    {
      title: 'Every service',
      about: `The latency-predictor needs no fleet. How ${Object.keys(adminFields).map(code).join(', ')} protect: [admin-api.md](admin-api.md).`,
      settings: router.filter(({ name }) => common.has(name)),
    },
    {
      title: 'Router',
      about: 'The data plane and its decisions: [router.md](router.md), [flow-control.md](flow-control.md).',
      settings: own(router),
    },
    {
      title: 'KV index',
      about: '[prefix-index.md](prefix-index.md)',
      settings: own(describeSettings(kvIndexSettings)),
    },
    {
      title: 'Event bridge',
      about: '[event-bridge.md](event-bridge.md)',
      settings: own(describeSettings(eventBridgeSettings)),
    },
    {
      title: 'Latency predictor',
      about: '[latency-predictor.md](latency-predictor.md)',
      settings: own(describeSettings(latencyPredictorSettings)),
    },
    {
      title: 'All services in one process',
      about:
        'What `npm start` and `sluice up` run. These belong in the environment; they take the place of the ports of the services.',
      settings: describeSettings(standaloneSettings),
    },
    {
      title: 'Console as a process of its own',
      about: 'Without a file and without overrides: [console.md](console.md).',
      settings: own(describeSettings(consoleSettings)),
    },
  ];
}

function sectionText({ title, about, settings }: Section): string {
  const rows = settings.map(({ name, meaning, allowed, fallback, isRequired, reload }) => {
    const given = isRequired ? 'required' : fallback === null ? 'none' : fallback === '' ? 'empty' : code(fallback);
    return `| ${[code(name), cell(meaning), cell(allowed), given, reload].join(' | ')} |`;
  });
  return [
    `## ${title}`,
    about,
    '',
    '| setting | meaning | takes | default | change |',
    '|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n');
}

const code = (text: string): string => `\`${text}\``;
const cell = (text: string): string => text.replaceAll('|', '\\|');
