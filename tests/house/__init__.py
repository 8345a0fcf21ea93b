"""House rules that a machine can check: each a function of a tree, tried on a planted violation too."""
