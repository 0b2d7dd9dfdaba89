from __future__ import annotations

import pytest

from lib_graph.errors import UsageError
from queries.asking.library import all_queries
from queries.asking.own_text import check_own_text


@pytest.mark.parametrize(
    "text",
    [
        "LOAD CSV FROM 'file:///etc/passwd' AS row RETURN row",
        "load\n csv with headers from $f as row return row",
        "RETURN 'http://x' AS x UNION LOAD/* */CSV FROM 'a' AS x RETURN x",
        "LOAD // a\n /* b */ CSV FROM 'a' AS x RETURN x",
        "\\u004cOAD CSV FROM 'a' AS x RETURN x",
        "CALL apoc.load.json('http://x')",
        "RETURN apoc.cypher.runFirstColumnSingle('LO' + 'AD CSV ...', {})",
        "CALL `apoc` . load.json('http://x')",
        "CALL dbms.listConfig()",
        "CALL /* */ `dbms`.killQuery('x')",
        "CALL db.clearQueryCaches()",
        "CALL db . /* */ `clearQueryCaches`()",
        "CALL gds.graph.export('g', {})",
        "SHOW USERS",
        "// all\nshow settings",
        "TERMINATE TRANSACTIONS 'x'",
        "USE system SHOW USERS",
    ],
)
def test_files_and_the_network_are_out_of_reach(text):
    with pytest.raises(UsageError, match=r"A text may not use .* here, which .*\."):
        check_own_text(text)


@pytest.mark.parametrize(
    "text",
    [
        "MATCH (f:Feature) CALL (f) { MATCH (f)-->(g) RETURN count(g) AS n } RETURN f.id, n",
        "CALL db.labels() YIELD label RETURN label",
        "CALL gds.leiden.stream('g') YIELD nodeId RETURN nodeId",
        "CALL gds.graph.project('g', 'Feature', 'INTERACTS')",
        "CALL db.index.fulltext.queryNodes('i', 'x') YIELD node RETURN node",
        "MATCH (n) WHERE n.label = 'show' RETURN n.csv AS load, n.use",
    ],
)
def test_what_asks_the_graph_alone_is_let_through(text):
    check_own_text(text)


def test_every_text_of_the_library_may_be_asked():
    for query in all_queries():
        check_own_text(query.text)


@pytest.mark.parametrize("text", ["`LOAD` CSV FROM 'a' AS x RETURN x", "LOAD//x\rCSV FROM 'a' AS x",
                                  "LOAD `CSV` FROM 'a' AS x RETURN x", "CALL//x\rdbms.y()",
                                  "RETURN genai.vector.encode('x', 'OpenAI', {})"])  # fmt: skip
def test_nor_are_they_with_marks_between_the_words(text):
    with pytest.raises(UsageError):
        check_own_text(text)


def test_a_text_of_comments_is_read_once():
    check_own_text("LOAD" + "/**/" * 4000 + "x")  # it took 4 times as long with each further two
