#!/usr/bin/env bash
# Gephi reads an infinite edge weight as 1.
#
# Guess:    networkx writes inf, a Java program parses or refuses it; an infinite cost stays infinite,
#           or the import reports a fault.
# Instead:  from GraphML and from GEXF the edge has weight 1.0, with an empty report: the worst
#           connection becomes an ordinary one. In GraphML a double column loses inf and nan
#           (null); in GEXF, where networkx writes INF and NaN for attributes but not for the weight,
#           they survive.
# Versions: Gephi toolkit 0.10.1, networkx 3.6.1.
# Who:      costs (-log share) with inf for "no connection"; distances between components.
# Around:   leave such edges out, or write a finite weight that is larger than all others.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check networkx==3.6.1
mvn -B -q org.apache.maven.plugins:maven-dependency-plugin:3.9.0:copy \
    -Dartifact=org.gephi:gephi-toolkit:0.10.1:jar:all -DoutputDirectory=lib > maven.log || {
    cat maven.log
    exit 1
}

venv/bin/python - <<'PY'
import networkx

graph = networkx.DiGraph()
graph.add_node("a", cost=float("inf"))
graph.add_node("b", cost=2.5)
graph.add_edge("a", "b", weight=float("inf"))
graph.add_edge("b", "a", weight=0.25)
networkx.write_graphml(graph, "graph.graphml")
networkx.write_gexf(graph, "graph.gexf")
back = networkx.read_graphml("graph.graphml")
print("networkx", networkx.__version__, "reads back", list(back.edges(data="weight")))
PY

cat > Read.java <<'JAVA'
import java.io.File;
import org.gephi.graph.api.Column;
import org.gephi.graph.api.Edge;
import org.gephi.graph.api.Graph;
import org.gephi.graph.api.GraphController;
import org.gephi.graph.api.Node;
import org.gephi.graph.api.Table;
import org.gephi.io.importer.api.Container;
import org.gephi.io.importer.api.ImportController;
import org.gephi.io.processor.plugin.DefaultProcessor;
import org.gephi.project.api.ProjectController;
import org.gephi.project.api.Workspace;
import org.openide.util.Lookup;

public class Read {
    static <T> T service(Class<T> type) {
        return Lookup.getDefault().lookup(type);
    }

    public static void main(String[] files) throws Exception {
        for (String file : files) {
            service(ProjectController.class).newProject();
            Workspace space = service(ProjectController.class).getCurrentWorkspace();
            Container container = service(ImportController.class).importFile(new File(file));
            service(ImportController.class).process(container, new DefaultProcessor(), space);
            System.out.println(file + " report: '" + container.getReport().getText().trim() + "'");
            Graph graph = service(GraphController.class).getGraphModel(space).getGraph();
            Table nodes = graph.getModel().getNodeTable();
            Column cost = nodes.getColumn(nodes.countColumns() - 1);
            for (Edge edge : graph.getEdges()) {
                Node source = edge.getSource();
                String ends = source.getId() + "" + edge.getTarget().getId();
                System.out.println(file + " edge " + ends + " weight " + edge.getWeight()
                    + ", cost of " + source.getId() + " " + source.getAttribute(cost));
            }
        }
        System.exit(0);
    }
}
JAVA
jar=lib/gephi-toolkit-0.10.1-all.jar
javac -cp "$jar" Read.java
java -Djava.awt.headless=true -cp "$jar:." Read graph.graphml graph.gexf 2> java.log > seen.txt || {
    cat java.log
    exit 1
}
echo "Gephi toolkit 0.10.1:"
cat seen.txt
cat > expected.txt <<'END'
graph.graphml report: ''
graph.graphml edge ab weight 1.0, cost of a null
graph.graphml edge ba weight 0.25, cost of b 2.5
graph.gexf report: ''
graph.gexf edge ab weight 1.0, cost of a Infinity
graph.gexf edge ba weight 0.25, cost of b 2.5
END
cmp seen.txt expected.txt || {
    echo "The behaviour has changed." >&2
    exit 1
}
