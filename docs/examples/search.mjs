// Search a workspace, and read the document of the best hit: node search.mjs WORKSPACE QUERY
// ARCANA_URL is where `arcana serve` answers, ARCANA_KEY a key with the scopes search and read. Needs Node 18 or newer.
const [workspace, query] = process.argv.slice(2);
const url = `${process.env.ARCANA_URL ?? "http://127.0.0.1:8000"}/v1/workspaces/${workspace}`;

async function ask(path, body) {
  const answer = await fetch(url + path, {
    method: body ? "POST" : "GET",
    headers: { Authorization: `Bearer ${process.env.ARCANA_KEY}`, "Content-Type": "application/json" },
    body: body && JSON.stringify(body),
  });
  const told = await answer.json();
  if (!answer.ok) throw new Error(`${told.status} ${told.title}: ${told.detail} (request ${told.request_id})`);
  return told;
}

try {
  const { hits, nearest } = await ask("/search", { query, k: 3 });
  for (const hit of hits) console.log(hit.score, hit.title, hit.link ?? hit.url ?? "");
  if (hits.length) console.log((await ask(`/documents/${hits[0].document_id}`)).text);
  else console.log("Nothing was found. Nearest:", nearest?.map((hit) => hit.title).join(", ") || "nothing");
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
