"""The three kinds of component: interfaces and the frozen values that they speak."""
