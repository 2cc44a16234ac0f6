"""What is sampled around: data, network, training, w*, and what is known of it."""
