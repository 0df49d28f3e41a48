"""How ``chimes new`` fills a template."""
