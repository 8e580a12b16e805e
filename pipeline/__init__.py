"""Everything that decides a result or draws it; the stages and the tools call it."""
