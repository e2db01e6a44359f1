import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { access, constants } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { Child } from '@sluice/process';
import { waitFor } from '@sluice/testkit';

const PROGRAMS = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];

/** Path of a Chromium on the PATH, or null. */
export async function findBrowser(path: string): Promise<string | null> {
  for (const folder of path.split(delimiter)) {
    for (const program of PROGRAMS) {
      const file = join(folder, program);
      const isThere = await access(file, constants.X_OK).then(
        () => true,
        () => false,
      );
      if (isThere) return file;
    }
  }
  return null;
}

interface Reply {
  readonly id?: number;
  readonly sessionId?: string;
  readonly method?: string;
  readonly params?: Record<string, unknown>;
  readonly result?: Record<string, unknown>;
  readonly error?: { readonly message: string };
}

/**
 * A real Chromium without a window, driven by its DevTools protocol over Node's own WebSocket: the few commands that are
 * needed here are not worth a package.
 */
export class Browser {
  readonly #child: Child;
  readonly #folder: string;
  readonly #socket: WebSocket;
  readonly #waiting = new Map<number, (reply: Reply) => void>();
  readonly #listeners = new Map<string, (method: string, params: Record<string, unknown>) => void>();
  #next = 1;

  private constructor(child: Child, folder: string, socket: WebSocket) {
    this.#child = child;
    this.#folder = folder;
    this.#socket = socket;
    socket.addEventListener('message', ({ data }) => {
      const reply = JSON.parse(String(data)) as Reply;
      if (reply.id !== undefined) {
        this.#waiting.get(reply.id)?.(reply);
        this.#waiting.delete(reply.id);
      } else if (reply.sessionId !== undefined)
        this.#listeners.get(reply.sessionId)?.(reply.method!, reply.params ?? {});
    });
  }

  static async start(program: string, env: Readonly<Record<string, string | undefined>>): Promise<Browser> {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-browser-'));
    const args = ['--headless=new', '--remote-debugging-port=0', `--user-data-dir=${folder}`, '--no-first-run'];
    // Inside a container there is no sandbox to be had, and only our own page is opened.
    args.push('--no-sandbox', '--disable-gpu', '--hide-scrollbars', '--force-color-profile=srgb', 'about:blank');
    const child = new Child({ name: 'chromium', command: program, args, env });
    let address = '';
    await waitFor('the browser', 30_000, async () => {
      if (child.exit !== null) throw new Error(`chromium ended:\n${child.outputTail}`);
      const [port, path] = (await readFile(join(folder, 'DevToolsActivePort'), 'utf8')).split('\n');
      // The file may be there before all of it is written.
      if (path === undefined || path === '') return false;
      address = `ws://127.0.0.1:${port}${path}`;
      return true;
    });
    const socket = new WebSocket(address);
    await new Promise<void>((resolve, reject) => {
      socket.addEventListener('open', () => resolve());
      socket.addEventListener('error', () => reject(new Error('the browser takes no connection')));
    });
    return new Browser(child, folder, socket);
  }

  async send(method: string, params: object = {}, sessionId?: string): Promise<Record<string, unknown>> {
    const id = this.#next++;
    const reply = await new Promise<Reply>((resolve) => {
      this.#waiting.set(id, resolve);
      this.#socket.send(JSON.stringify({ id, method, params, ...(sessionId !== undefined && { sessionId }) }));
    });
    if (reply.error !== undefined) throw new Error(`${method}: ${reply.error.message}`);
    return reply.result ?? {};
  }

  /** A new tab of that size, still empty. */
  async page(width: number, height: number): Promise<Page> {
    const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
    const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
    const page = new Page(this, String(sessionId));
    this.#listeners.set(String(sessionId), (method, params) => page.heard(method, params));
    await page.command('Page.enable');
    await page.command('Runtime.enable');
    await page.command('Log.enable');
    await page.resize(width, height);
    return page;
  }

  async stop(): Promise<void> {
    this.#socket.close();
    await this.#child.stop(3000);
    await rm(this.#folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** One tab. */
export class Page {
  /** What the page complained of: exceptions, errors in the console, what the CSP kept out. */
  readonly complaints: string[] = [];
  readonly #browser: Browser;
  readonly #session: string;

  constructor(browser: Browser, session: string) {
    this.#browser = browser;
    this.#session = session;
  }

  command(method: string, params: object = {}): Promise<Record<string, unknown>> {
    return this.#browser.send(method, params, this.#session);
  }

  heard(method: string, params: Record<string, unknown>): void {
    if (method === 'Runtime.exceptionThrown') this.complaints.push(JSON.stringify(params['exceptionDetails']));
    if (method !== 'Log.entryAdded') return;
    const { level, text, url } = params['entry'] as { level: string; text: string; url?: string };
    if (level === 'error') this.complaints.push(`${text} ${url ?? ''}`);
  }

  resize(width: number, height: number): Promise<unknown> {
    return this.command('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
  }

  async prefer(scheme: 'light' | 'dark'): Promise<void> {
    await this.command('Emulation.setEmulatedMedia', { features: [{ name: 'prefers-color-scheme', value: scheme }] });
  }

  async open(url: string): Promise<void> {
    await this.command('Page.navigate', { url });
  }

  /** Value of an expression in the page. @throws Error that the page threw */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.command('Runtime.evaluate', {
      expression,
      awaitPromise: true,
      returnByValue: true,
    });
    if (exceptionDetails !== undefined) throw new Error(JSON.stringify(exceptionDetails));
    return (result as { value: T }).value;
  }

  /** Waits until an expression is true. */
  async until(expression: string, what: string, limitMs = 15_000): Promise<void> {
    await waitFor(what, limitMs, () => this.evaluate<boolean>(`Boolean(${expression})`));
  }

  /** Text of the first element of a selector. */
  text(selector: string): Promise<string> {
    return this.evaluate<string>(`document.querySelector(${JSON.stringify(selector)})?.innerText ?? ''`);
  }

  /** Presses keys one after another; a name longer than a letter is a key of its own. */
  async press(...keys: readonly string[]): Promise<void> {
    for (const key of keys) {
      const text = key.length === 1 ? { text: key } : {};
      await this.command('Input.dispatchKeyEvent', { type: 'keyDown', key, ...text });
      await this.command('Input.dispatchKeyEvent', { type: 'keyUp', key });
    }
  }

  async click(selector: string): Promise<void> {
    const at = await this.evaluate<{ x: number; y: number }>(
      `(() => { const box = document.querySelector(${JSON.stringify(selector)}).getBoundingClientRect(); return { x: box.x + box.width / 2, y: box.y + box.height / 2 }; })()`,
    );
    const button = { ...at, button: 'left', clickCount: 1 };
    await this.command('Input.dispatchMouseEvent', { type: 'mousePressed', ...button });
    await this.command('Input.dispatchMouseEvent', { type: 'mouseReleased', ...button });
  }

  async hover(x: number, y: number): Promise<void> {
    await this.command('Input.dispatchMouseEvent', { type: 'mouseMoved', x, y });
  }

  async screenshot(path: string): Promise<void> {
    const { data } = await this.command('Page.captureScreenshot', { format: 'png' });
    await writeFile(path, Buffer.from(String(data), 'base64'));
  }
}
