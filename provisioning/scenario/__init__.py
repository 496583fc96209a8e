"""What a lifecycle test makes: instances and their cards, what is done to them, and how all is given back."""
