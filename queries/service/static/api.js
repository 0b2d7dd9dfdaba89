// What the service answers. Every call returns the whole answer: run, statements, data.

import { answer as saved, snapshot } from "./snapshot.js";

async function send(method, path, parameters, body) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters ?? {}))
    for (const each of [value].flat()) if (each !== null && each !== undefined && each !== "") query.append(name, each);
  try {
    return await fetch(`/api/v1${path}?${query}`, {
      method, headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Error("The service does not answer. Is 'lib-graph serve' still running? Start it again and reload.");
  }
}

async function ask(method, path, parameters, body) {
  if (snapshot) return saved(method, path, parameters, body);
  const reply = await send(method, path, parameters, body);
  const answer = await reply.json();
  if (!reply.ok) throw Object.assign(new Error(answer.error), { status: reply.status });
  return answer;
}

// What is no JSON when all is well.
export async function text(path, parameters) {
  const reply = await send("GET", path, parameters);
  if (!reply.ok) throw new Error((await reply.json()).error);
  return reply.text();
}

export const get = (path, parameters) => ask("GET", path, parameters);
export const post = (path, parameters, body) => ask("POST", path, parameters, body);
export const put = (path, parameters, body) => ask("PUT", path, parameters, body);
export const remove = (path, parameters) => ask("DELETE", path, parameters);
