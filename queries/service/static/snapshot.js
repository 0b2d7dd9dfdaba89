// A saved page: what the service would answer, from the view that is in the file. It has the
// strongest interactions alone, and says so.

const found = document.getElementById("snapshot");
export const snapshot = found && JSON.parse(found.textContent);

const SERVE = "This page is saved: 'lib-graph serve' answers this.";

function rows({ features, interactions }) {
  const names = Object.keys(features), id = features.id;
  const all = id.map((_, i) => Object.fromEntries(names.map((name) => [name, features[name][i]])));
  const label = features.label;
  const links = interactions.source.map((source, i) => ({
    source: id[source], target: id[interactions.target[i]],
    source_label: label[source], target_label: label[interactions.target[i]],
    strength: interactions.strength[i], effect: interactions.effect[i], share: interactions.share[i],
  }));
  return { all, links };
}

// Of the view that was saved, what a smaller share keeps.
function view(share) {
  const whole = snapshot.view, { kept_at } = whole.interactions;
  const keep = kept_at.flatMap((at, i) => (at < share ? [i] : []));
  const interactions = Object.fromEntries(Object.entries(whole.interactions).map(([name, values]) => [name, keep.map((i) => values[i])]));
  const ends = [...new Set([...interactions.source, ...interactions.target])].sort((a, b) => a - b);
  const places = new Map(ends.map((old, i) => [old, i]));
  for (const end of ["source", "target"]) interactions[end] = interactions[end].map((old) => places.get(old));
  const features = Object.fromEntries(Object.entries(whole.features).map(([name, values]) => [name, ends.map((i) => values[i])]));
  const kept = keep.reduce((sum, i) => sum + snapshot.part[i], 0) / Math.max(snapshot.sections, 1);
  const cut = snapshot.next_at !== null && snapshot.next_at < share;
  return { ...whole, share, kept, cut, features, interactions };
}

const called = (asked) => (id) => id === asked || id.slice(id.indexOf("/") + 1) === asked;

function feature({ feature: asked, limit }) {
  const { all, links } = rows(snapshot.view);
  const row = all.find((each) => called(asked)(each.id));
  if (!row) throw new Error(`${asked} is not on this saved page. ${SERVE}`);
  const strongest = (end) => links.filter((each) => each[end] === row.id).sort((a, b) => b.strength - a.strength).slice(0, limit);
  return { ...row, importance_share: null, inputs: strongest("target"), outputs: strongest("source") };
}

function features({ search = "", layer, offset = 0, limit = 100 }) {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = rows(snapshot.view).all.filter((each) => (!layer || each.layer === layer) && words.every((word) => `${each.id} ${each.label ?? ""}`.toLowerCase().includes(word)));
  fits.sort((a, b) => (b.importance ?? 0) - (a.importance ?? 0));
  return { total: fits.length, offset, features: fits.slice(offset, offset + limit) };
}

function circuit(ids) {
  const { all, links } = rows(snapshot.view), among = new Set(ids);
  return {
    run: snapshot.run.id, query: { features: ids }, name: null,
    features: all.filter((each) => among.has(each.id)),
    interactions: links.filter((each) => among.has(each.source) && among.has(each.target)),
  };
}

const ANSWERS = {
  "GET /runs": () => ({ store: snapshot.store, chosen: snapshot.run.id, runs: [snapshot.run] }),
  "GET /layers": () => snapshot.layers,
  "GET /prompt": () => snapshot.prompt,
  "GET /view": ({ share }) => view(share),
  "GET /communities": () => snapshot.communities,
  "GET /feature": feature,
  "GET /features": features,
  "GET /examples": ({ feature }) => ({ examples: null, histogram: snapshot.histograms[Object.keys(snapshot.histograms).find(called(feature))] ?? null, advice: SERVE }),
  "GET /circuits": () => [],
  "POST /circuit": (_, body) => circuit(body.features),
};

export function answer(method, path, parameters, body) {
  const find = ANSWERS[`${method} ${path}`];
  if (!find) throw new Error(SERVE);
  const { id, name } = snapshot.run;
  return { run: { id, name }, statements: [], data: find(parameters ?? {}, body) };
}
