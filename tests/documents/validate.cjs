// Validates an AsyncAPI document with the official parser: node validate.cjs FILE
const { readFileSync } = require("node:fs");
const { Parser } = require("@asyncapi/parser");

new Parser().parse(readFileSync(process.argv[2], "utf8")).then(({ document, diagnostics }) => {
  // 0 is an error, 1 a warning; what is less is advice.
  const faults = diagnostics.filter(({ severity }) => severity <= 0);
  faults.forEach(({ path, message }) => console.log(`${path.join(".")}: ${message}`));
  const good = document !== undefined && faults.length === 0;
  console.log(good ? "ok asyncapi.json is valid" : "not ok asyncapi.json is not valid");
  process.exit(good ? 0 : 1);
});
