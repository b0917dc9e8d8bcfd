"""The equations of the network, in the letters of the blackboard. In reading order:

chain_rule      the chain rule for a layered network: forward, backward, Jacobian
network         a network: its layers, its functions, and θ seen as weights W[l] and biases b[l]
blocks          the names W[l] and b[l] of the blocks of θ
activations     activation functions f(z) and their derivatives f'(z)
outputs         output functions with their losses: ŷ(z), ℓ(y, z) and what backpropagation needs
penalties       the L2 penalty on the weights: ½ Σ α_j θ_j², its gradient and its Hessian
initialisation  where training begins: random weights of a sensible size
gradient_check  each derivative against a difference of two costs
seed_protocol   a student's own class, seen as an objective
"""
