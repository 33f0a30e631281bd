// Calls a service by types made of its document, and prints what it answers.
// `example.ts` holds the document's own examples, written out so that the compiler checks them.
import createClient from "openapi-fetch";

import { bad, records, table, url } from "./example.js";
import type { paths } from "./schema.js";

const client = createClient<paths>({ baseUrl: url });

function given<T>(answer: { data?: T; error?: unknown }): T {
  if (answer.data === undefined) throw new Error(JSON.stringify(answer.error));
  return answer.data;
}

const alone = [];
for (const body of records) alone.push(given(await client.POST("/predict", { body })));

const batch = given(await client.POST("/predict/batch", { body: { instances: records } }));
if (typeof batch === "string" || !("predictions" in batch)) throw new Error("no predictions");
const labels = batch.predictions.map((row) => {
  if ("errors" in row) throw new Error("a good record is rejected");
  return row.label;
});

const query = { on_error: "report" } as const;
const mixed = { instances: [...records, bad] };
const reported = given(await client.POST("/predict/batch", { params: { query }, body: mixed }));
if (typeof reported === "string" || !("predictions" in reported)) throw new Error("no predictions");

const rows = given(await client.POST("/predict/batch", { body: table }));
if (typeof rows === "string" || !("columns" in rows)) throw new Error("no table");

const refused = await client.POST("/predict", { body: bad });
if (refused.error === undefined) throw new Error("a record out of range is predicted");
const faults = refused.error.errors?.map((fault) => fault.type);

const { data: card } = await client.GET("/model");
if (card?.version !== alone[0].model_version) throw new Error("another model answers");

console.log(JSON.stringify({ alone, batch, labels, reported, bad: reported.predictions.map((row) => "errors" in row), rows, faults }));
