import { parse, tokenize } from '@huggingface/jinja';

/** The nodes that the parser of `@huggingface/jinja` makes, which it does not export as types. */
export type Node =
  | { readonly type: 'Program'; readonly body: readonly Node[] }
  | { readonly type: 'If'; readonly test: Node; readonly body: readonly Node[]; readonly alternate: readonly Node[] }
  | For
  | { readonly type: 'Break' | 'Continue' }
  | SetStatement
  | Macro
  | { readonly type: 'Comment'; readonly value: string }
  | CallStatement
  | { readonly type: 'FilterStatement'; readonly filter: Identifier | CallExpression; readonly body: readonly Node[] }
  | Expression;

export type Expression =
  | Member
  | CallExpression
  | Identifier
  | { readonly type: 'IntegerLiteral' | 'FloatLiteral'; readonly value: number }
  | StringLiteral
  | { readonly type: 'ArrayLiteral'; readonly value: readonly Expression[] }
  | TupleLiteral
  | { readonly type: 'ObjectLiteral'; readonly value: ReadonlyMap<Expression, Expression> }
  | Binary
  | FilterExpression
  | { readonly type: 'SelectExpression'; readonly lhs: Expression; readonly test: Expression }
  | TestExpression
  | { readonly type: 'UnaryExpression'; readonly operator: { readonly value: string }; readonly argument: Expression }
  | Slice
  | KeywordArgument
  | { readonly type: 'SpreadExpression' | 'KeywordSpreadExpression'; readonly argument: Expression }
  | {
      readonly type: 'Ternary';
      readonly condition: Expression;
      readonly trueExpr: Expression;
      readonly falseExpr: Expression;
    };

export interface Identifier {
  readonly type: 'Identifier';
  readonly value: string;
}
export interface StringLiteral {
  readonly type: 'StringLiteral';
  readonly value: string;
}
export interface TupleLiteral {
  readonly type: 'TupleLiteral';
  readonly value: readonly Expression[];
}
export interface For {
  readonly type: 'For';
  readonly loopvar: Identifier | TupleLiteral;
  readonly iterable: Expression;
  readonly body: readonly Node[];
  readonly defaultBlock: readonly Node[];
}
export interface SetStatement {
  readonly type: 'Set';
  readonly assignee: Expression;
  /** Null for a block: what `body` renders is the value. */
  readonly value: Expression | null;
  readonly body: readonly Node[];
}
export type Parameter = Identifier | KeywordArgument;
export interface KeywordArgument {
  readonly type: 'KeywordArgumentExpression';
  readonly key: Identifier;
  readonly value: Expression;
}
export interface Macro {
  readonly type: 'Macro';
  readonly name: Identifier;
  readonly args: readonly Parameter[];
  readonly body: readonly Node[];
}
export interface CallExpression {
  readonly type: 'CallExpression';
  readonly callee: Expression;
  readonly args: readonly Expression[];
}
export interface CallStatement {
  readonly type: 'CallStatement';
  readonly call: CallExpression;
  readonly callerArgs: readonly Parameter[] | null;
  readonly body: readonly Node[];
}
export interface Member {
  readonly type: 'MemberExpression';
  readonly object: Expression;
  readonly property: Expression;
  /** `object[property]` instead of `object.property`. */
  readonly computed: boolean;
}
export interface Binary {
  readonly type: 'BinaryExpression';
  readonly operator: { readonly value: string };
  readonly left: Expression;
  readonly right: Expression;
}
export interface FilterExpression {
  readonly type: 'FilterExpression';
  readonly operand: Expression;
  readonly filter: Identifier | CallExpression;
}
export interface TestExpression {
  readonly type: 'TestExpression';
  readonly operand: Expression;
  readonly negate: boolean;
  readonly test: Identifier;
}
export interface Slice {
  readonly type: 'SliceExpression';
  readonly start: Expression | undefined;
  readonly stop: Expression | undefined;
  readonly step: Expression | undefined;
}

/** Parses a template with the settings of transformers' environment. @throws Error when it is no template. */
export function parseTemplate(source: string): readonly Node[] {
  const tokens = tokenize(source, { lstrip_blocks: true, trim_blocks: true });
  return (parse(tokens) as unknown as { readonly body: readonly Node[] }).body;
}

/** Calls `visit` for `nodes` and everything in them. */
export function walk(nodes: Iterable<Node>, visit: (node: Node) => void): void {
  for (const node of nodes) {
    visit(node);
    walk(children(node), visit);
  }
}

/** The nodes directly in `node`; operators are tokens that look like nodes. */
function* children(node: Node): Iterable<Node> {
  for (const [field, value] of Object.entries(node) as [string, unknown][]) {
    if (field === 'operator') continue;
    if (value instanceof Map) yield* (value as Map<Node, Node>).entries().flatMap((entry) => entry);
    else yield* (Array.isArray(value) ? value : [value]).filter(isNode);
  }
}

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && 'type' in value;
