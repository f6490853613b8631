"""How fast and how exact improv is on this machine, each figure beside a reference measured in the same run."""
