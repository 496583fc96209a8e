"""Does the suite find faults? The catalogue, putting its faults into labs, and the score."""
