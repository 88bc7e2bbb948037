"""What documents are about: rules, nearest topics, and what people say of them. Given topics are `taxonomy.given`'s."""
