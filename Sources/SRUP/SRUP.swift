// SRUP: written in the commits that follow.
