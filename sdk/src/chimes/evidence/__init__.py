"""What a run of the checks concluded and recorded: typed, frozen values, each with one JSON form."""
