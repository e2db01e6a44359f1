const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  ENOTFOUND: 'no host of this name',
  EAI_AGAIN: 'its name cannot be looked up',
  EHOSTUNREACH: 'no way to this host',
  ENETUNREACH: 'no way to this network',
  ECONNRESET: 'connection reset',
  ETIMEDOUT: 'no answer',
  EPIPE: 'it hung up',
  UND_ERR_SOCKET: 'it hung up',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is self-signed',
  ERR_SSL_WRONG_VERSION_NUMBER: 'it speaks no TLS',
};

/** Why a server could not be talked to, in words. fetch says "fetch failed" and hides why in its cause. */
export function reasonOf(error: unknown, timeoutMs: number): string {
  const { name, message, code, cause } = error as { name?: string; message?: string; code?: string; cause?: unknown };
  if (name === 'TimeoutError') return `no answer within ${timeoutMs / 1000} s`;
  if (typeof cause === 'object' && cause !== null) return reasonOf(cause, timeoutMs);
  if (code?.startsWith('HPE_')) return 'what listens there speaks no HTTP';
  return WORDS[code ?? ''] ?? (message || code || String(error));
}
