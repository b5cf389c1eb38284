// The parser of AsyncAPI accepts the document; it also checks all examples against their schemas.
const fs = require("fs");
const { Parser } = require("@asyncapi/parser");

new Parser().parse(fs.readFileSync(process.argv[2], "utf8")).then(({ document, diagnostics }) => {
    const found = diagnostics.filter((diagnostic) => diagnostic.severity <= 1);
    for (const { code, message, path } of found.slice(0, 20)) {
        console.error(`${code}: ${message} (${path.join(".")})`);
    }
    if (!document || found.length > 0) {
        process.exit(1);
    }
    const count = document.allMessages().all().length;
    const operations = document.allOperations().all().length;
    console.log(`${count} messages, ${operations} operations`);
});
