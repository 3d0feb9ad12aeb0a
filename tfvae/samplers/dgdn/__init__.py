"""The deep deconvolutional model learned and inferred without a recognition model.

`state` has what is drawn, `geometry` the linear map between codes and images; `maps`, `top`, `dictionary`, `precisions`
and `svm` have one full conditional a function, (state, data, seed) -> draw; `sweep` puts them together, and `gibbs`,
`bcdf` and `mcem` are the learners that are made of it. docs/explanation/dgdn_gibbs.md derives them.
"""
