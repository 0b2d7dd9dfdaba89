// All runs, also those whose load or deletion was cut off (status 'loading' or 'deleting').
// No parameters.
MATCH (r:Run)
RETURN r.id AS id, r.name AS name, r.model AS model, r.basis AS basis, r.base AS base,
       r.status AS status, r.features AS features, r.interactions AS interactions,
       r.created AS created, r.loaded AS loaded, coalesce(r.schema_version, 1) AS schema_version,
       r.prompt AS prompt
ORDER BY loaded DESC, id DESC
