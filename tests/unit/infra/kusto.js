// Reads {tables: {name: columns}, queries: {name: text}} from standard input and prints, as JSON, what Microsoft's
// parser finds wrong with each query: [[name, code, message], ...]. $NODE_PATH leads to the package.
const fs = require('fs');
require('@kusto/language-service-next/bridge.js');
require('@kusto/language-service-next/Kusto.Language.Bridge.js');

const { Symbols, GlobalState, KustoCode } = Kusto.Language;
const { tables, queries } = JSON.parse(fs.readFileSync(0, 'utf8'));
const symbols = Object.entries(tables).map(([name, columns]) => new Symbols.TableSymbol.$ctor7(name, columns, null));
const globals = GlobalState.Default.WithDatabase(new Symbols.DatabaseSymbol.ctor('insights', symbols));
const found = [];
for (const [name, text] of Object.entries(queries)) {
  const diagnostics = KustoCode.ParseAndAnalyze(text, globals).GetDiagnostics();
  for (let place = 0; place < diagnostics.Count; place++) {
    const { Code, Message } = diagnostics.getItem(place);
    found.push([name, Code, Message]);
  }
}
process.stdout.write(JSON.stringify(found));
