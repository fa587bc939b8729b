// Reads {tables: {name: columns}, queries: {name: text}} from standard input and prints, as JSON, what Microsoft's
// parser finds in each query. $NODE_PATH leads to the package.
//   errors    [code, message]
//   columns   [name, type] of the result
//   tables    names of the tables that it reads
//   compared  [path, operator, texts]: what it compares with texts
//   read      [path, function] of members of dynamic values, and of the function that they are given to, or ""
// A path leads from a table's column to a member, whatever the query calls what lies between: after
// `extend record = parse_json(message)` the path of `record.run` is `message.run`.
const fs = require('fs');
require('@kusto/language-service-next/bridge.js');
require('@kusto/language-service-next/Kusto.Language.Bridge.js');

const { Symbols, GlobalState, KustoCode, Syntax } = Kusto.Language;
const { tables, queries } = JSON.parse(fs.readFileSync(0, 'utf8'));
const symbols = Object.entries(tables).map(([name, columns]) => new Symbols.TableSymbol.$ctor7(name, columns, null));
const globals = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.ctor('insights', symbols));
const CONVERSIONS = ['tostring', 'todouble', 'tolong', 'toint', 'parse_json'];

const listed = (items, of) => Array.from({ length: items.Count }, (_, place) => of(items.getItem(place)));
const children = (node) => Array.from({ length: node.ChildCount }, (_, place) => node.GetChild(place)).filter(Boolean);
const below = (node) => [node, ...children(node).flatMap(below)];
const is = (node, ...types) => types.some((type) => Bridge.is(node, Syntax[type]));
const text = (node) => node.toString().trim();
const argument = (call) => children(children(children(call.ArgumentList)[1])[0])[0];
const texts = (node) =>
  below(node).filter((one) => is(one, 'LiteralExpression') && typeof one.LiteralValue === 'string').map((one) => one.LiteralValue);

function pathOf(node, names) {
  if (is(node, 'NameReference')) return names[text(node)] || text(node);
  if (is(node, 'PathExpression')) return `${pathOf(node.Expression, names)}.${text(node.Selector)}`;
  if (is(node, 'ElementExpression')) return `${pathOf(node.Expression, names)}.${texts(node.Selector)[0]}`;
  if (is(node, 'FunctionCallExpression') && CONVERSIONS.includes(text(node.Name))) return pathOf(argument(node), names);
  return null;
}

function factsOf(query) {
  const code = KustoCode.ParseAndAnalyze(query, globals);
  const nodes = below(code.Syntax);
  const names = {};
  const facts = { tables: [], compared: [], read: [] };
  for (const node of nodes) {
    if (is(node, 'SimpleNamedExpression')) {
      const path = pathOf(node.Expression, names);
      if (path && path !== text(node.Name)) names[text(node.Name)] = path;
    } else if (is(node, 'BinaryExpression', 'InExpression') && texts(node.Right).length) {
      const path = pathOf(node.Left, names);
      if (path) facts.compared.push([path, text(node.Operator), texts(node.Right)]);
    } else if (is(node, 'PathExpression', 'ElementExpression')) {
      const call = nodes.find((one) => is(one, 'FunctionCallExpression') && argument(one) === node);
      facts.read.push([pathOf(node, names), call ? text(call.Name) : '']);
    } else if (is(node, 'NameReference') && Bridge.is(node.ReferencedSymbol, Symbols.TableSymbol)) {
      facts.tables.push(text(node));
    }
  }
  const columns = code.ResultType && code.ResultType.Columns;
  return {
    ...facts,
    errors: listed(code.GetDiagnostics(), ({ Code, Message }) => [Code, Message]),
    columns: columns ? listed(columns, ({ Name, Type }) => [Name, Type.Name]) : [],
  };
}

process.stdout.write(JSON.stringify(Object.fromEntries(Object.entries(queries).map(([name, query]) => [name, factsOf(query)]))));
