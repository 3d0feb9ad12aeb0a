"""Programs for processes that cannot import tfvae: they see an export as a stranger does."""
