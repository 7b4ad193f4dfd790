// The syntax tree that @huggingface/jinja's parser gives, as types: the package exports its classes' names to nobody.

export interface Token {
  readonly value: string;
}

export interface Program {
  readonly type: "Program";
  readonly body: readonly Node[];
}

export interface Identifier {
  readonly type: "Identifier";
  readonly value: string;
}

export interface Call {
  readonly type: "CallExpression";
  readonly callee: Node;
  readonly args: readonly Node[];
}

export interface KeywordArgument {
  readonly type: "KeywordArgumentExpression";
  readonly key: Identifier;
  readonly value: Node;
}

export type Parameter = Identifier | KeywordArgument;

export interface For {
  readonly type: "For";
  readonly loopvar: Identifier | Sequence;
  readonly iterable: Node;
  readonly body: readonly Node[];
  readonly defaultBlock: readonly Node[];
}

export interface SetStatement {
  readonly type: "Set";
  readonly assignee: Node;
  readonly value: Node | null;
  readonly body: readonly Node[];
}

export interface Macro {
  readonly type: "Macro";
  readonly name: Identifier;
  readonly args: readonly Parameter[];
  readonly body: readonly Node[];
}

export interface CallStatement {
  readonly type: "CallStatement";
  readonly call: Call;
  readonly callerArgs: readonly Parameter[] | null;
  readonly body: readonly Node[];
}

export interface Sequence {
  readonly type: "ArrayLiteral" | "TupleLiteral";
  readonly value: readonly Node[];
}

export interface Member {
  readonly type: "MemberExpression";
  readonly object: Node;
  readonly property: Node;
  readonly computed: boolean;
}

export interface Slice {
  readonly type: "SliceExpression";
  readonly start?: Node;
  readonly stop?: Node;
  readonly step?: Node;
}

export interface Binary {
  readonly type: "BinaryExpression";
  readonly operator: Token;
  readonly left: Node;
  readonly right: Node;
}

export type Node =
  | Program
  | Identifier
  | Call
  | KeywordArgument
  | For
  | SetStatement
  | Macro
  | CallStatement
  | Sequence
  | Member
  | Slice
  | Binary
  | { readonly type: "If"; readonly test: Node; readonly body: readonly Node[]; readonly alternate: readonly Node[] }
  | { readonly type: "Break" | "Continue" | "Comment" }
  | { readonly type: "FilterStatement"; readonly filter: Identifier | Call; readonly body: readonly Node[] }
  | { readonly type: "IntegerLiteral" | "FloatLiteral"; readonly value: number }
  | { readonly type: "StringLiteral"; readonly value: string }
  | { readonly type: "ObjectLiteral"; readonly value: ReadonlyMap<Node, Node> }
  | { readonly type: "FilterExpression"; readonly operand: Node; readonly filter: Identifier | Call }
  | { readonly type: "SelectExpression"; readonly lhs: Node; readonly test: Node }
  | { readonly type: "TestExpression"; readonly operand: Node; readonly negate: boolean; readonly test: Identifier }
  | { readonly type: "UnaryExpression"; readonly operator: Token; readonly argument: Node }
  | { readonly type: "SpreadExpression" | "KeywordSpreadExpression"; readonly argument: Node }
  | { readonly type: "Ternary"; readonly condition: Node; readonly trueExpr: Node; readonly falseExpr: Node };
