import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Child, freePort } from '@sluice/process';
import { post, repoRoot, type Sim, Sluice, syntheticText, waitFor } from '@sluice/testkit';
import { chatUrl, env, MODEL, poolOf, startSims, stopSims } from '../setup.ts';
import { Load } from '../load.ts';
import { Browser, findBrowser, type Page } from './browser.ts';
import { LargeFleet } from './large-fleet.ts';

const SERVICES = ['router', 'kv-index', 'event-bridge', 'latency-predictor'];
const READ_TOKEN = 'a-token-for-readers-of-this-spec';
const program = await findBrowser(env['PATH'] ?? '');
/** How many plots have something in the colour of a p99 on them. */
const CURVES_DRAWN = `[...document.querySelectorAll('.plot canvas')].filter((canvas) => {
  const hex = getComputedStyle(document.documentElement).getPropertyValue('--line-3').trim();
  const wanted = [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 0; at < data.length; at += 4) if (wanted.every((part, i) => data[at + i] === part)) return true;
  return false;
}).length`;
/** Where the screenshots go, to be looked at; without it they are taken and thrown away. */
const kept = env['SLUICE_SCREENSHOTS'];

if (program === null) console.log('skipped: needs a Chromium on the PATH (Debian: apt-get install chromium)');
const inBrowser = program === null ? describe.skip : describe;

inBrowser('the console in a real browser', () => {
  let browser: Browser;
  let folder: string;
  let page: Page;

  beforeAll(async () => {
    folder = kept ?? (await mkdtemp(join(tmpdir(), 'sluice-screenshots-')));
    browser = await Browser.start(program!, env);
  }, 60_000);
  afterAll(async () => {
    await browser.stop();
    if (kept === undefined) await rm(folder, { recursive: true, force: true });
  });

  const open = async (url: string): Promise<void> => {
    page = await browser.page(1440, 900);
    await page.open(url);
  };
  /** Resolves with the milliseconds from the beginning of the navigation to the first view of the fleet. */
  const firstView = async (): Promise<number> => {
    await page.until("performance.getEntriesByName('sluice:first-view').length", 'the first view');
    return page.evaluate("performance.getEntriesByName('sluice:first-view')[0].startTime");
  };
  const shoot = (name: string): Promise<void> => page.screenshot(join(folder, `console-${name}.png`));
  const seen = (selector: string): string => `document.querySelector(${JSON.stringify(selector)})`;

  /** The console as a process of its own, on these admin APIs. */
  const withConsole = async (services: Record<string, string>, use: (url: string) => Promise<void>): Promise<void> => {
    const port = await freePort();
    const named = Object.entries(services).map(([name, url]) => `${name}=${url}`);
    const child = new Child({
      name: 'console',
      command: process.execPath,
      args: [join(repoRoot, 'apps/console/dist/main.js')],
      env: { ...env, CONSOLE_PORT: String(port), CONSOLE_SERVICES: named.join() },
    });
    try {
      const url = `http://127.0.0.1:${port}/`;
      await waitFor('the console', 20_000, async () => (await fetch(`${url}readyz`)).ok);
      await use(url);
    } finally {
      await child.stop();
    }
  };

  describe('over four simulated engines', () => {
    let sims: Sim[] = [];
    let sluice: Sluice;
    let admin = '';
    const asked: { id: string; worker: string }[] = [];

    beforeAll(async () => {
      sims = await startSims(4, { profile: 'llama-3.1-8b-h100', speed: 2 });
      const shadow = { ROUTER_SHADOW_POLICIES: 'least-request', ROUTER_SHADOW_SAMPLE: '1' };
      sluice = await Sluice.start({ pools: [poolOf(sims)], services: false, env: { ...env, ...shadow } });
      admin = new URL(sluice.admin('router')).origin;
      await Promise.all(Array.from({ length: 12 }, (_, i) => ask(i)));
    }, 60_000);
    afterAll(async () => {
      await sluice?.stop();
      await stopSims(sims);
    }, 60_000);

    async function ask(i: number): Promise<void> {
      const messages = [
        { role: 'system', content: syntheticText(500 + (i % 3), 700) },
        { role: 'user', content: `question ${i}: ${syntheticText(900 + i, 60)}` },
      ];
      const usage = { stream: true, stream_options: { include_usage: true } };
      const answer = await post(chatUrl(sluice), { model: MODEL, max_tokens: 40, messages, ...usage });
      asked.push({ id: answer.headers.get('x-sluice-decision-id')!, worker: answer.headers.get('x-sluice-worker')! });
    }

    it('shows every worker, and follows what happens without being asked', async () => {
      await open(`${admin}/`);
      await firstView();
      expect(await page.text('.figure-value')).toBe('4/ 4');
      expect(
        await page.evaluate("[...document.querySelectorAll('.tile strong')].map((each) => each.innerText)"),
      ).toEqual(sims.map(({ name }) => name));
      await page.until(`${seen('.status')}.innerText.includes('live')`, 'a live connection');
      await sims[3]!.kill();
      await page.until(
        `${seen('.tile.down')}?.innerText.includes('sim-4')`,
        'the page to notice that an engine is gone',
      );
      expect(await page.text('.figure-note.bad')).toBe('1 needs a look');
      await page.click('.figure-note.bad button');
      await page.until("document.querySelectorAll('.list-body .worker-row').length === 1", 'the filter');
      await page.click('.figure-note.bad button');
      await sims[3]!.restart();
      await page.until(`!${seen('.tile.down')}`, 'the page to notice that it is back');
      await shoot('fleet-4');
    });

    it('goes everywhere by keyboard', async () => {
      await page.press('?');
      await page.until(seen('dialog.help[open]'), 'the help');
      expect(await page.text('dialog.help')).toContain('next, previous in the list');
      await page.press('Escape');
      await page.until(`!${seen('dialog.help')}`, 'the help to close');
      await page.press('j', 'j');
      await page.until(`${seen('.side h2')}?.innerText === 'sim-2'`, 'the second worker');
      await page.press('k');
      await page.until(`${seen('.side h2')}?.innerText === 'sim-1'`, 'the first worker');
      await page.press('Escape');
      await page.until(`!${seen('.side')}`, 'its panel to close');
      await page.press('/');
      await page.command('Input.insertText', { text: 'sim-3' });
      await page.until("document.querySelectorAll('.list-body .worker-row').length === 1", 'the filter');
      await page.evaluate(
        `document.activeElement.value = ''; document.activeElement.dispatchEvent(new Event('input'))`,
      );
      await page.press('Escape');
      for (const [key, view] of [
        ['l', '#/latency'],
        ['i', '#/index'],
        ['c', '#/config'],
        ['t', '#/traces'],
        ['r', '#/requests'],
      ] as const) {
        await page.press('g', key);
        await page.until(`location.hash === '${view}'`, view);
      }
    });

    it('says why a request went where it went, and what happened', async () => {
      const { id, worker } = asked.at(-1)!;
      await page.until(
        `document.querySelectorAll('.list-body .request-row').length >= ${asked.length}`,
        'the requests',
      );
      await page.evaluate(`location.hash = '#/requests/${id}'`);
      await page.until(`${seen('.why h2')}?.innerText === 'Why ${worker}?'`, 'the reason');
      expect(await page.evaluate("document.querySelectorAll('.cost-row').length")).toBe(4);
      expect(await page.text('.cost-row.chosen')).toMatch(new RegExp(`^${worker}\\s[\\s\\S]*chosen`));
      const said = await page.text('.why');
      expect(said).toMatch(/completed 200/);
      expect(said).toMatch(/TTFT\n[\d.]+ ms predicted [\d.]+ ms/);
      expect(said).toMatch(/least-request/);
      // The parts of a bar are as wide as the terms of the record say.
      const record = await sluice.getAdmin<{
        candidates: { worker: string; cost: number; terms: Record<string, number> }[];
      }>('router', `/decisions/${id}`);
      const chosen = record.candidates.find((each) => each.worker === worker)!;
      const widths = await page.evaluate<number[]>(
        "[...document.querySelectorAll('.cost-row.chosen .cost-bar i')].map((part) => part.getBoundingClientRect().width / part.parentElement.getBoundingClientRect().width)",
      );
      const most = Math.max(...record.candidates.map(({ cost }) => cost));
      expect(widths.reduce((sum, width) => sum + width, 0)).toBeCloseTo(chosen.cost / most, 1);
      await shoot('why-4');
    });

    it('plots latencies, and shows index, events and configuration', async () => {
      await page.press('g', 'l');
      await page.until(`document.querySelectorAll('.plot canvas').length === 4`, 'four plots');
      expect(await page.text('.percentiles tbody tr')).toMatch(/^last minute\t1[2-9]\t0\t[\d.,]+ m?s/);
      await page.until(`${CURVES_DRAWN} === 3`, 'a curve of TTFT, TPOT and the whole answer');
      await shoot('latency-4');
      await page.press('g', 'i');
      await page.until(`document.querySelectorAll('.service .condition.up').length === ${SERVICES.length}`, 'services');
      await page.until(`${seen('.rank-row:not(.head)')}`, 'event streams');
      await page.press('g', 'c');
      await page.until(`document.body.innerText.includes('expected-latency')`, 'the configuration');
    });

    it('is light or dark as the system is, until told otherwise', async () => {
      const paper = 'getComputedStyle(document.body).backgroundColor';
      const light = await page.evaluate(paper);
      await page.prefer('dark');
      await page.until(`${paper} !== '${String(light)}'`, 'dark');
      await page.press('g', 'f');
      await shoot('dark-4');
      await page.press('t');
      await page.until(`${paper} === '${String(light)}'`, 'light by choice');
    });

    it('fits a phone', async () => {
      await page.resize(390, 844);
      for (const view of ['fleet', 'requests', `requests/${asked[0]!.id}`, 'latency', 'index', 'config', 'traces']) {
        await page.evaluate(`location.hash = '#/${view}'`);
        await page.until(`${seen('nav a[aria-current]')}.hash.startsWith('#/${view.slice(0, 5)}')`, view);
        await page.until("document.querySelector('main').innerText.length > 80", 'what it shows');
        await shoot(`phone-${view.replace(/\/.*/, '-why')}`);
        const beyond = "document.querySelector('main').scrollWidth - document.querySelector('main').clientWidth";
        expect([
          view,
          await page.evaluate('document.documentElement.scrollWidth'),
          await page.evaluate(beyond),
        ]).toEqual([view, 390, 0]);
      }
      await page.resize(1440, 900);
    });

    it('loads nothing from elsewhere and complains of nothing', async () => {
      const loaded = await page.evaluate<string[]>(
        "performance.getEntriesByType('resource').map(({ name }) => new URL(name).origin)",
      );
      expect(new Set(loaded)).toEqual(new Set([admin]));
      expect(page.complaints).toEqual([]);
    });

    it('is the same page in a process of its own', async () => {
      const services = Object.fromEntries(SERVICES.map((name) => [name, `${admin}/${name}`]));
      await withConsole(services, async (url) => {
        await open(url);
        await firstView();
        expect(await page.text('.figure-value')).toBe('4/ 4');
        await page.press('g', 'i');
        const ready = `document.querySelectorAll('.service .condition.up').length === ${SERVICES.length}`;
        await page.until(ready, 'every service through the console');
        expect((await fetch(`${url}router/policy`, { method: 'PUT' })).status).toBe(405);
        await page.open(`${url}runbook#sluiceenginedown`);
        await page.until(`${seen('h3:target')}?.innerText === 'SluiceEngineDown'`, 'what an alert links to');
        expect(page.complaints).toEqual([]);
      });
    });
  });

  describe('in front of two routers', () => {
    let sims: Sim[] = [];
    let routers: Sluice[] = [];
    const adminOf = (router: Sluice): string => new URL(router.admin('router')).origin;

    beforeAll(async () => {
      sims = await startSims(3, { profile: 'llama-3.1-8b-h100', speed: 2 });
      // The second one has a wrong address of the last engine.
      const astray = sims.map(({ name, entry }) =>
        name === 'sim-3' ? { ...entry, url: 'http://127.0.0.1:9' } : entry,
      );
      const pools = [poolOf(sims), { ...poolOf(sims), engines: astray }];
      routers = await Promise.all(pools.map((pool) => Sluice.start({ pools: [pool], services: false, env })));
    }, 60_000);
    afterAll(async () => {
      await Promise.all(routers.map((router) => router.stop()));
      await stopSims(sims);
    }, 60_000);

    it('shows every worker once and where they differ, the requests of both, and why by who decided', async () => {
      const [a, b] = [routers[0]!, routers[1]!];
      const services = {
        'router-a': `${adminOf(a)}/router`,
        'router-b': `${adminOf(b)}/router`,
        ...Object.fromEntries(SERVICES.slice(1).map((name) => [name, `${adminOf(a)}/${name}`])),
      };
      await withConsole(services, async (url) => {
        await open(url);
        await firstView();
        await page.until(`${seen('.status')}.innerText.includes('live, 2 of 2 routers')`, 'both routers');
        const names = "[...document.querySelectorAll('.tile strong')].map((each) => each.innerText)";
        expect(await page.evaluate(names)).toEqual(['sim-1', 'sim-2', 'sim-3']);
        expect(await page.text('.tile.differs strong')).toBe('sim-3');
        await page.click('.tile.differs');
        await page.until(`${seen('.side .told .reason')}?.innerText.includes('ECONNREFUSED')`, 'why for one of them');
        const told = "[...document.querySelectorAll('.side .told')].map((each) => each.innerText.split('\\n')[0])";
        expect(await page.evaluate(told)).toEqual(['router-a', 'router-b']);

        const ids: string[] = [];
        for (const router of routers) {
          const body = { model: MODEL, max_tokens: 20, stream: true, messages: [{ role: 'user', content: 'who?' }] };
          ids.push((await post(chatUrl(router), body)).headers.get('x-sluice-decision-id')!);
        }
        await shoot('fleet-2-routers');
        await page.press('Escape', 'g', 'r');
        await page.until("document.querySelectorAll('.list-body .request-row').length === 2", 'the requests of both');
        const tags = "[...document.querySelectorAll('.list-body .request-row .tag')].map((each) => each.innerText)";
        expect(await page.evaluate(tags)).toEqual(['router-b', 'router-a']);
        for (const [i, router] of ['router-a', 'router-b'].entries()) {
          // As from an address that somebody passed on: which of them decided is not known.
          await open(`${url}#/requests/${ids[i]!}`);
          await page.until(`${seen('.why .facts')}?.innerText.includes('by ${router}')`, `the reason of ${router}`);
        }
        await page.until("document.querySelectorAll('.list-body .request-row').length === 2", 'the requests');
        await shoot('why-2-routers');
        await page.press('Escape', 'g', 'l');
        await page.until("document.querySelectorAll('.bar-of-tools .choice').length > 1", 'a choice of routers');
        await page.press('g', 'i');
        await page.until("document.querySelectorAll('.service .condition.up').length === 5", 'every service');
        await shoot('index-2-routers');
        await page.press('g', 'f');

        await b.stop();
        await page.until(`${seen('.status')}.innerText.includes('live, 1 of 2 routers')`, 'the loss of one');
        await page.until(`!${seen('.tile.differs')}`, 'the fleet as the other has it');
        // One has gone, and one may have been asked for a decision of the other.
        const complaints = page.complaints.filter((text) => !/ 502 | 404 .*\/decisions\//.test(text));
        expect(complaints).toEqual([]);
      });
    });
  });

  describe('over a thousand workers', () => {
    let fleet: LargeFleet;
    let sluice: Sluice;
    let load: Load;

    beforeAll(async () => {
      fleet = await LargeFleet.start();
      const tokens = { SLUICE_ADMIN_TOKEN: 'a-token-for-changes-in-this-spec', SLUICE_ADMIN_READ_TOKEN: READ_TOKEN };
      sluice = await Sluice.start({ pools: fleet.pools, services: false, env: { ...env, ...tokens } });
      load = new Load(sluice.dataUrl, 30, 'qwen3-32b');
    }, 60_000);
    afterAll(async () => {
      await load?.stop();
      await sluice?.stop();
      await fleet?.stop();
    }, 60_000);

    it('asks for the token where reads need one, and shows them all', async () => {
      await open(`${new URL(sluice.admin('router')).origin}/`);
      await page.until(seen('form.token input'), 'to be asked for a token');
      await page.evaluate(`${seen('form.token input')}.focus()`);
      await page.command('Input.insertText', { text: READ_TOKEN });
      await page.press('Enter');
      await page.click('form.token button');
      await firstView();
      expect(await page.text('.figure-of')).toBe('/ 1,000');
      // Kept for the tab: a reload asks for nothing, and its first view is what is measured.
      await page.command('Page.reload');
      await page.until(`document.readyState === 'complete'`, 'the reload');
      console.log(
        `first view of ${fleet.workers} workers: ${Math.round(await firstView())} ms after the navigation began`,
      );
      expect(await page.evaluate("document.querySelectorAll('.list-body .worker-row').length")).toBeLessThan(60);
    });

    it('finds the few that are gone, and any other', async () => {
      await fleet.kill(7, 44, 45);
      await page.until(`${seen('.figure-note.bad')}?.innerText === '24 need a look'`, 'what is gone to be noticed');
      await shoot('fleet-1000');
      await page.click('.figure-note.bad button');
      await page.until(`${seen('.table .panel-head')}.innerText.includes('24 of 1,000')`, 'those alone');
      expect(
        await page.evaluate(
          "[...document.querySelectorAll('.worker-row .condition')].every((each) => each.innerText === 'down')",
        ),
      ).toBe(true);
      await page.click('.figure-note.bad button');
      await page.until(`${seen('.table .panel-head')}.innerText.includes('Workers\\n1,000')`, 'all again');
      await page.evaluate(`document.querySelector('.workers').scrollTop = 1e6`);
      await page.until(`document.querySelector('.workers').innerText.includes('qwen3-h200-030-dp7')`, 'the last row');
    });

    it('shows what each of 800 candidates would have cost', async () => {
      const body = { model: 'qwen3-32b', stream: true, max_tokens: 8, messages: [{ role: 'user', content: 'why?' }] };
      const answer = await post(`${sluice.dataUrl}/v1/chat/completions`, body);
      await page.evaluate(`location.hash = '#/requests/${answer.headers.get('x-sluice-decision-id')}'`);
      await page.until(
        `${seen('.why h2')}?.innerText === 'Why ${answer.headers.get('x-sluice-worker')}?'`,
        'the reason',
      );
      expect(await page.evaluate("document.querySelectorAll('.cost-row').length")).toBe(10);
      await page.click('.candidates .block-head button');
      await page.until(seen('.all-candidates'), 'all of them');
      expect(await page.evaluate("document.querySelectorAll('.cost-row').length")).toBeLessThan(60);
      await shoot('why-1000');
      await page.press('Escape', 'g', 'l');
      await page.until(`${CURVES_DRAWN} === 3`, 'a curve of TTFT, TPOT and the whole answer');
      await shoot('latency-1000');
      // What it asked before it had a token was refused, and that is all.
      expect(page.complaints.filter((text) => !text.includes('401'))).toEqual([]);
    });
  });
});
