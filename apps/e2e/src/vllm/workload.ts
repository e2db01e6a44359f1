import { seededRng } from '@sluice/numerics';
import { syntheticText } from '@sluice/testkit';
import { type ChatBody, randomTool, randomToolTurn } from './chats.ts';

/** How many applications share the engines: more system prompts than one engine's cache holds, fewer than two hold. */
const APPLICATIONS = 16;
const SYSTEM_TOKENS = 600;
const MOST_TURNS = 4;

/** Beginnings that make the system prompts of applications different kinds of text. */
const FLAVOURS: readonly string[] = [
  'You are a helpful assistant for a travel agency.',
  'Du bist ein Assistent für Grüße, Öl und Straßen; antworte höflich.',
  '你是一个乐于助人的助手。请始终用简体中文回答，并且保持简短。',
  'أنت مساعد مفيد. أجب دائمًا باللغة العربية وباختصار.',
  '🤖✨ Be playful! Use emoji 👩‍👩‍👧‍👦🏳️‍🌈 wherever they fit 🎉.',
  'function rules() {\n\treturn "answer with code only";\n}\n',
];

interface Conversation {
  readonly application: number;
  readonly messages: Readonly<Record<string, unknown>>[];
  turns: number;
}

/**
 * `count` chats as a few applications send them: each application has a long system prompt of its own and perhaps tools,
 * its users hold conversations of several turns at the same time. Answers in the histories are fixed, so that a run can
 * be repeated; the same seed gives the same chats.
 */
export function sharedPrefixChats(seed: number, count: number): ChatBody[] {
  const rng = seededRng(seed);
  const applications = Array.from({ length: APPLICATIONS }, (_, i) => ({
    system: `${FLAVOURS[i % FLAVOURS.length]!}\nApplication ${i}.\n${syntheticText(seed + i, SYSTEM_TOKENS)}`,
    tools: i % 3 === 2 ? [randomTool(rng, 'search'), randomTool(rng, 'get_weather')] : null,
  }));
  const open: Conversation[] = [];
  return Array.from({ length: count }, (_, i) => {
    const application = Math.floor(rng() * APPLICATIONS);
    let at = open.findIndex((one) => one.application === application);
    if (at < 0) at = open.push({ application, messages: [], turns: 0 }) - 1;
    const conversation = open[at]!;
    const { system, tools } = applications[application]!;
    if (conversation.turns > 0) {
      conversation.messages.push(
        ...(tools !== null && rng() < 0.5
          ? randomToolTurn(rng, i)
          : [{ role: 'assistant', content: syntheticText(seed * 7 + i, 40) }]),
      );
    }
    conversation.messages.push({
      role: 'user',
      content: `${FLAVOURS[Math.floor(rng() * FLAVOURS.length)]!} Question ${i}: ${syntheticText(seed * 3 + i, 60)} 🙂?`,
    });
    if (++conversation.turns === MOST_TURNS) open.splice(at, 1);
    return {
      messages: [{ role: 'system', content: system }, ...conversation.messages],
      ...(tools !== null && { tools }),
    };
  });
}
