// Health check of a container whose image has nothing but Node: node healthcheck.mjs [URL], or HEALTH_URL.
// `node:http`, because `fetch` takes twice the time to load and every container runs this every few seconds.
import { get } from 'node:http';

const url = process.argv[2] ?? process.env.HEALTH_URL;
const end = (ok, text) => {
  console.log(`${url}: ${text}`);
  process.exit(ok ? 0 : 1);
};
const request = get(url, { timeout: 4500 }, async (response) => {
  let body = '';
  for await (const chunk of response) body += chunk;
  end(response.statusCode === 200, `${response.statusCode} ${body}`);
});
request.on('timeout', () => end(false, 'no answer'));
request.on('error', (error) => end(false, error.message));
