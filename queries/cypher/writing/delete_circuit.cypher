// Delete a circuit; its features stay.
// :param id => '0123456789ab/my circuit'
MATCH (c:Circuit {id: $id})
DETACH DELETE c
