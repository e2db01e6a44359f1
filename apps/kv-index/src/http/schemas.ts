import { z } from 'zod';

export const lookupBody = z
  .strictObject({
    model: z.string(),
    prompt: z.string().optional().describe('Rendered prompt: exactly the text that the engine tokenises'),
    messages: z.array(z.unknown()).min(1).optional().describe('Chat, rendered with the template of the pool'),
    tools: z.array(z.unknown()).optional(),
    cacheSalt: z.string().nullable().default(null),
  })
  .refine((body) => (body.prompt === undefined) !== (body.messages === undefined), {
    error: 'give either prompt or messages',
  });

export const MAX_BLOCKS_PER_PAGE = 10_000;
export const blocksQuery = z.strictObject({
  offset: z.coerce.number().int().min(0).default(0),
  limit: z.coerce.number().int().min(1).max(MAX_BLOCKS_PER_PAGE).default(1000),
});

export const resyncReply = z.object({ requested: z.string() });
