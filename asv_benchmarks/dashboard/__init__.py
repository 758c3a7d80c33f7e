"""The pages about speed: asv's own, made to work without a network, and a front page that sums them up."""
