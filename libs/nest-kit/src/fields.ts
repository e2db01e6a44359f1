import { z } from 'zod';

/** Puts in words what a field takes, for messages and for the page that lists every setting. */
const taking = <S extends z.ZodType>(allowed: string, schema: S): S => schema.meta({ allowed });

const wholeNumber = (min: number, max: number, allowed: string) =>
  taking(
    allowed,
    z
      .string()
      .refine((text) => /^-?\d+$/.test(text) && Number(text) >= min && Number(text) <= max, `must be ${allowed}`)
      .transform(Number),
  );

/** A whole number from `min` to `max`. */
export const integerField = (min: number, max: number): z.ZodType<number, string> =>
  wholeNumber(min, max, `a whole number from ${min} to ${max}`);

/** A TCP port; 0 takes a free one. */
export const portField = (): z.ZodType<number, string> => wholeNumber(0, 65535, 'a port from 0 to 65535');

/** A decimal number from `min` to `max`. */
export const numberField = (min: number, max: number): z.ZodType<number, string> =>
  taking(
    `a number from ${min} to ${max}`,
    z
      .string()
      .refine((text) => Number(text) >= min && Number(text) <= max, `must be a number from ${min} to ${max}`)
      .transform(Number),
  );

/** `true` or `false`. */
export const booleanField = (): z.ZodType<boolean, string> =>
  taking(
    'true or false',
    z
      .string()
      .refine((text) => text === 'true' || text === 'false', 'must be true or false')
      .transform((text) => text === 'true'),
  );

/** Any text. */
export const textField = (allowed: string): z.ZodType<string, string> => taking(allowed, z.string());

/** One of `values`. */
export const choiceField = <const T extends string>(values: readonly T[]): z.ZodType<T, string> =>
  taking(
    `one of ${values.join(', ')}`,
    z
      .string()
      .refine((text) => (values as readonly string[]).includes(text), `must be one of ${values.join(', ')}`)
      .transform((text) => text as T),
  );

/** Comma-separated, each one of `values` and named once. */
export const choicesField = <const T extends string>(values: readonly T[]): z.ZodType<T[], string> =>
  taking(
    `of ${values.join(', ')}, separated by commas`,
    listField()
      .refine(
        (items) => items.every((item) => (values as readonly string[]).includes(item)),
        `must be of ${values.join(', ')}, separated by commas`,
      )
      .refine((items) => new Set(items).size === items.length, 'must name each once')
      .transform((items) => items as T[]),
  );

/** Comma-separated values, blanks around them ignored. */
export const listField = (): z.ZodType<string[], string> =>
  taking(
    'values separated by commas',
    z.string().transform((text) =>
      text
        .split(',')
        .map((item) => item.trim())
        .filter((item) => item !== ''),
    ),
  );

/** A URL with one of `protocols` (without the colon). */
export const urlField = (...protocols: readonly string[]): z.ZodType<string, string> => {
  const allowed = `a URL like ${protocols.map((protocol) => `${protocol}://host:port`).join(' or ')}`;
  return taking(
    allowed,
    z
      .string()
      .refine(
        (text) => URL.canParse(text) && protocols.includes(new URL(text).protocol.slice(0, -1)),
        `must be ${allowed}`,
      ),
  );
};

const SHORTEST_SECRET = 16;

/** A secret that is sent in a header: it is shown nowhere, and too short ones are refused. */
export const secretField = (): z.ZodType<string, string> =>
  z
    .string()
    .refine(
      (text) => text.length >= SHORTEST_SECRET && /^[\x21-\x7e]+$/.test(text),
      `must be at least ${SHORTEST_SECRET} printable characters without blanks`,
    )
    .meta({ allowed: `at least ${SHORTEST_SECRET} printable characters without blanks`, secret: true });

const servers = (text: string): string[] => text.split(',').map((item) => item.trim());

/** Addresses of NATS servers. */
export const natsServersField = (): z.ZodType<string[], string> => {
  const allowed = 'nats://host:port or tls://host:port, several separated by commas';
  return taking(
    allowed,
    z
      .string()
      .transform(servers)
      .refine(
        (urls) => urls.every((url) => URL.canParse(url) && ['nats:', 'tls:'].includes(new URL(url).protocol)),
        `must be ${allowed}`,
      ),
  );
};
