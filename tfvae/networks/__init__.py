"""Networks, built from configs. What a model of x and one code z asks of a config:

    check(image_shape)                                  raises ValueError for observations that it cannot read
    prior(latent_dim)                                   p(z), [Z]
    decoder(name, latent_dim, image_shape, likelihood)  a layer from z [..., Z] to p(x | z)
    encoder(name, image_shape, latent_dim, family)      a layer from x to q(z | x), a Gaussian by default
    implicit(name, image_shape, latent_dim)             an `implicit.ImplicitEncoder`, z = f(x, ξ)
    label_network(latent_dim, num_classes)              name -> a layer from z to logits, or None for a linear one

    capabilities()                                      what a model can be asked for because of this network

and, where p(z | x) is known or can be sampled (`Capability.POSTERIOR`):

    posterior_draw_count()                              draws that an evaluation takes
    posterior_draws(model, x, num, seed)                [num, B, Z]
    compared(z)                                         codes in the terms of these draws

`mlp`, `conv`, `residual`, `poisson` and `toy` answer it; the others are of one model alone.
"""
