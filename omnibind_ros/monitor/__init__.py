"""What a robot says, for people: put together from its messages, drawn as a table or told in lines."""
