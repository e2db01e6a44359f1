import type { ServerResponse } from 'node:http';
import type { ApiError } from '../openai/errors.ts';

const SERVER = { server: 'uvicorn', vary: 'Origin' } as const;

export function sendText(response: ServerResponse, status: number, contentType: string, text: string): void {
  const body = Buffer.from(text);
  response.writeHead(status, { ...SERVER, 'content-length': body.length, 'content-type': contentType });
  response.end(body);
}

export const sendJson = (response: ServerResponse, status: number, json: string): void =>
  sendText(response, status, 'application/json', json);

export const sendError = (response: ServerResponse, error: ApiError): void =>
  sendJson(response, error.status, JSON.stringify(error.body));

/** A status and no body at all. */
export function sendEmpty(response: ServerResponse, status: number): void {
  response.writeHead(status, { ...SERVER, 'content-length': 0 });
  response.end();
}

/** Opens a stream of Server-Sent Events; the status line and headers leave at once. */
export function openEventStream(response: ServerResponse): void {
  response.writeHead(200, { ...SERVER, 'content-type': 'text/event-stream; charset=utf-8' });
  response.flushHeaders();
}

export const sendEvent = (response: ServerResponse, data: string): void => {
  response.write(`data: ${data}\n\n`);
};
