#!/usr/bin/env bash
# What graphology-gexf writes as x, y, size and color nobody but Gephi finds again.
#
# Guess:    node attributes named x, y, size or color come back from a GEXF file, as attributes or as
#           networkx's viz dictionary: either way the picture is kept.
# Instead:  graphology-gexf takes these four out of the attributes and writes viz: elements, under
#           the namespace "http:///www.gexf.net/1.1draft/viz" (three slashes, 1.1) inside a 1.2 file.
#           networkx looks for the 1.2 namespace and finds none: the values are gone, also a `size`
#           that is a number of features and not a radius. Other attributes and weights survive.
# Versions: graphology 0.26.0, graphology-gexf 0.13.2, networkx 3.6.1.
# Who:      a layout made in the browser (sigma.js and its ForceAtlas2) carried back to Python.
# Around:   replace the namespace in the file's text by "http://www.gexf.net/1.2draft/viz": networkx
#           then reads all of it; or keep the values under other names too.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check networkx==3.6.1
npm install --silent --no-fund --no-audit graphology@0.26.0 graphology-gexf@0.13.2 > npm.log 2>&1 || {
    cat npm.log
    exit 1
}
node - <<'JS'
const Graph = require('graphology');
const gexf = require('graphology-gexf');
const graph = new Graph({type: 'directed'});
graph.addNode('a', {x: 1.5, y: 0.5, size: 12, color: '#ff0000', share: 0.25});
graph.addNode('b', {x: 2, y: 1, size: 3, color: '#00ff00', share: 0.75});
graph.addEdge('a', 'b', {weight: 0.5});
require('fs').writeFileSync('graph.gexf', gexf.write(graph));
JS
venv/bin/python - <<'PY'
import re
import sys
from pathlib import Path

import networkx

text = Path("graph.gexf").read_text()
(namespace,) = re.findall(r'xmlns:viz="([^"]*)"', text)
Path("mended.gexf").write_text(text.replace(namespace, "http://www.gexf.net/1.2draft/viz"))
read = dict(networkx.read_gexf("graph.gexf").nodes(data=True))
mended = dict(networkx.read_gexf("mended.gexf").nodes(data=True))
print("networkx", networkx.__version__, "graphology-gexf 0.13.2, namespace", namespace)
print("the file has 'viz:size':", "viz:size" in text)
print("read  ", read["a"])
print("mended", mended["a"])
lost = "viz" not in read["a"] and "size" not in read["a"] and read["a"]["share"] == 0.25
if not lost or "viz:size" not in text or mended["a"]["viz"]["size"] != 12:
    sys.exit("The behaviour has changed.")
PY
