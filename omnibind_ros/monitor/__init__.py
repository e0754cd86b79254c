"""What a robot recognises, for people: followed through its topics, shown as a table or line by line."""
