"""Training by `fit`, from a first step to a resumed one."""
